//! A place for each CPU, or each core, that any machine can have: since there are a power of two of them,
//! looking one up needs no check.

use std::ops::{Index, IndexMut};

/// `N` places, a power of two; those beyond a machine's own are there and unused.
#[derive(Debug)]
pub(super) struct Table<T, const N: usize>(Box<[T; N]>);

impl<T, const N: usize> Table<T, N> {
    const LAST: usize = {
        assert!(N.is_power_of_two());
        N - 1
    };

    pub(super) fn new(place: impl FnMut(usize) -> T) -> Self {
        let places: Box<[T]> = (0..N).map(place).collect();
        match places.try_into() {
            Ok(places) => Self(places),
            Err(_) => unreachable!("there are {N} places"),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T, const N: usize> Index<u16> for Table<T, N> {
    type Output = T;

    #[inline(always)]
    fn index(&self, place: u16) -> &T {
        &self.0[usize::from(place) & Self::LAST]
    }
}

impl<T, const N: usize> IndexMut<u16> for Table<T, N> {
    #[inline(always)]
    fn index_mut(&mut self, place: u16) -> &mut T {
        &mut self.0[usize::from(place) & Self::LAST]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_place_for_each_number_below_its_size() {
        let mut table = Table::<_, 8>::new(|place| place);
        table[5] += 10;
        assert_eq!((table[0], table[5], table[7], table.iter().sum::<usize>()), (0, 15, 7, 38));
    }
}
