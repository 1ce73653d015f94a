//! Days, for what expires.

use std::fmt;

/// A day as days since 1970-01-01 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

/// Days from 0000-03-01 to 1970-01-01 in the Gregorian calendar.
const EPOCH: i64 = 719_468;

impl Day {
    /// The day of a YYYY-MM-DD; `None` when the text is not a day of the calendar.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let [year, month, day] = [(); 3].map(|()| {
            let part = parts.next()?;
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i64>().ok())?
        });
        let found = Self::of(year?, month?, day?);
        // A day that is not in the calendar (31 April) comes back as another.
        (found.to_string() == text).then_some(found)
    }

    /// Years are counted from March, so that the leap day is the last of its year.
    fn of(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        Self(365 * year + leap_days + day_of_year - EPOCH)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0 + EPOCH;
        let century_days = days.rem_euclid(146_097);
        let year_in_era = (century_days - century_days / 1_460 + century_days / 36_524
            - century_days / 146_096)
            / 365;
        let day_of_year = century_days - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let civil_month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_in_era + days.div_euclid(146_097) * 400 + i64::from(civil_month <= 2);
        write!(f, "{year:04}-{civil_month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_have_their_numbers() {
        assert_eq!(Day::parse("1970-01-01"), Some(Day(0)));
        assert_eq!(Day::parse("2000-02-29"), Some(Day(11_016)));
        assert_eq!(Day::parse("2026-11-22"), Some(Day(20_779)));
    }

    #[test]
    fn what_is_no_day_of_the_calendar_is_refused() {
        for text in ["2026-02-29", "2026-13-01", "2026-1-1", "tomorrow", "", "2026-01-01-01"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn four_centuries_of_days_survive_their_written_form() {
        for number in (-50_000..100_000).step_by(13) {
            assert_eq!(Day::parse(&Day(number).to_string()), Some(Day(number)));
        }
    }
}
