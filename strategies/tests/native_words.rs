//! Every operation on words, against what the same operation does to a plain integer.

use pamt_strategies::platform::native::{self, Native, NativeBuild, NativeOptions};
use pamt_strategies::platform::{Actor, Ordering, Place, Platform, Until, Word, Words};
use pamt_strategies::units::CpuId;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Store(u64),
    Swap(u64),
    Exchange(u64, u64),
    Add(u64),
    Sub(u64),
    Or(u64),
    And(u64),
    StoreByte(u32, u8),
    StoreHalf(u32, u16),
    SwapHalf(u32, u16),
    ExchangeHalf(u32, u16, u16),
    AddHalf(u32, u16),
    OrHalf(u32, u16),
    AndHalf(u32, u16),
    SetBit(u32),
    ClearBit(u32),
}

fn step(bytes: u32) -> impl Strategy<Value = Step> {
    let half = 0..bytes / 2;
    // Few values, so that comparisons hit.
    let word = prop_oneof![Just(0_u64), Just(1), Just(u64::MAX), any::<u64>()];
    let part = prop_oneof![Just(0_u16), Just(1), Just(u16::MAX), any::<u16>()];
    prop_oneof![
        word.clone().prop_map(Step::Store),
        word.clone().prop_map(Step::Swap),
        (word.clone(), word.clone()).prop_map(|(a, b)| Step::Exchange(a, b)),
        word.clone().prop_map(Step::Add),
        word.clone().prop_map(Step::Sub),
        word.clone().prop_map(Step::Or),
        word.prop_map(Step::And),
        (0..bytes, any::<u8>()).prop_map(|(i, v)| Step::StoreByte(i, v)),
        (half.clone(), part.clone()).prop_map(|(i, v)| Step::StoreHalf(i, v)),
        (half.clone(), part.clone()).prop_map(|(i, v)| Step::SwapHalf(i, v)),
        (half.clone(), part.clone(), part.clone())
            .prop_map(|(i, a, b)| Step::ExchangeHalf(i, a, b)),
        (half.clone(), part.clone()).prop_map(|(i, v)| Step::AddHalf(i, v)),
        (half.clone(), part.clone()).prop_map(|(i, v)| Step::OrHalf(i, v)),
        (half, part).prop_map(|(i, v)| Step::AndHalf(i, v)),
        (0..8 * bytes).prop_map(Step::SetBit),
        (0..8 * bytes).prop_map(Step::ClearBit),
    ]
}

/// What the step does to `value`, and what it returns.
fn expected(value: u64, step: &Step) -> (u64, u64) {
    let part = |half: u32| (value >> (16 * half)) as u16;
    let with =
        |half: u32, new: u16| value & !(0xffff << (16 * half)) | u64::from(new) << (16 * half);
    match *step {
        Step::Store(v) => (v, 0),
        Step::Swap(v) => (v, value),
        Step::Exchange(a, b) => (if value == a { b } else { value }, value),
        Step::Add(v) => (value.wrapping_add(v), value),
        Step::Sub(v) => (value.wrapping_sub(v), value),
        Step::Or(v) => (value | v, value),
        Step::And(v) => (value & v, value),
        Step::StoreByte(i, v) => (value & !(0xff << (8 * i)) | u64::from(v) << (8 * i), 0),
        Step::StoreHalf(i, v) => (with(i, v), 0),
        Step::SwapHalf(i, v) => (with(i, v), part(i).into()),
        Step::ExchangeHalf(i, a, b) => {
            (if part(i) == a { with(i, b) } else { value }, part(i).into())
        }
        Step::AddHalf(i, v) => (with(i, part(i).wrapping_add(v)), part(i).into()),
        Step::OrHalf(i, v) => (with(i, part(i) | v), part(i).into()),
        Step::AndHalf(i, v) => (with(i, part(i) & v), part(i).into()),
        Step::SetBit(b) => (value | 1 << b, value >> b & 1),
        Step::ClearBit(b) => (value & !(1 << b), value >> b & 1),
    }
}

fn apply<W: Word>(
    words: &<Native as Platform>::Words<W>,
    cpu: &<Native as Platform>::Cpu,
    step: &Step,
) -> u64 {
    let order = Ordering::SeqCst;
    let w = W::from_u64;
    let either = |outcome: Result<u16, u16>| u64::from(outcome.unwrap_or_else(|found| found));
    match *step {
        Step::Store(v) => {
            words.store(cpu, 1, w(v), order);
            0
        }
        Step::Swap(v) => words.swap(cpu, 1, w(v), order).to_u64(),
        Step::Exchange(a, b) => {
            let outcome = words.compare_exchange(cpu, 1, w(a), w(b), order, order);
            outcome.unwrap_or_else(|found| found).to_u64()
        }
        Step::Add(v) => words.fetch_add(cpu, 1, w(v), order).to_u64(),
        Step::Sub(v) => words.fetch_sub(cpu, 1, w(v), order).to_u64(),
        Step::Or(v) => words.fetch_or(cpu, 1, w(v), order).to_u64(),
        Step::And(v) => words.fetch_and(cpu, 1, w(v), order).to_u64(),
        Step::StoreByte(i, v) => {
            words.store_u8_at(cpu, 1, i, v, order);
            0
        }
        Step::StoreHalf(i, v) => {
            words.store_u16_at(cpu, 1, i, v, order);
            0
        }
        Step::SwapHalf(i, v) => words.swap_u16_at(cpu, 1, i, v, order).into(),
        Step::ExchangeHalf(i, a, b) => {
            either(words.compare_exchange_u16_at(cpu, 1, i, a, b, order))
        }
        Step::AddHalf(i, v) => words.fetch_add_u16_at(cpu, 1, i, v, order).into(),
        Step::OrHalf(i, v) => words.fetch_or_u16_at(cpu, 1, i, v, order).into(),
        Step::AndHalf(i, v) => words.fetch_and_u16_at(cpu, 1, i, v, order).into(),
        Step::SetBit(b) => words.bts(cpu, 1, b, order).into(),
        Step::ClearBit(b) => words.btr(cpu, 1, b, order).into(),
    }
}

fn narrow<W: Word>(value: u64) -> u64 {
    W::from_u64(value).to_u64()
}

/// Runs the steps on the middle one of three packed words; its neighbours may not change.
fn replay<W: Word>(steps: Vec<Step>) {
    let mut build = NativeBuild::new(NativeOptions::new(1, 1)).expect("no pinning asked for");
    let words = Native::words::<W>(&mut build, Place::packed("words", 3));
    let body = move |cpu: &<Native as Platform>::Cpu| {
        let mut value = 0;
        for step in &steps {
            let step = narrowed::<W>(step);
            let (next, returns) = expected(value, &step);
            value = narrow::<W>(next);
            assert_eq!(apply(&words, cpu, &step), returns, "{step:?}");
            assert_eq!(words.load(cpu, 1, Ordering::SeqCst).to_u64(), value, "{step:?}");
            words.touch_16b(cpu, 1);
            words.prefetchw(cpu, 1);
            assert_eq!([words.peek(cpu, 0), words.peek(cpu, 2)], [W::from_u64(0); 2]);
        }
        assert_eq!(words.spin_until(cpu, 1, Until::eq(value), Ordering::Acquire).to_u64(), value);
        let never = words.spin_until_for(cpu, 1, Until::ne(value), 3, Ordering::Acquire);
        assert_eq!(never, Err(W::from_u64(value)));
    };
    let actor = Actor { cpu: CpuId(0), name: "replay".into(), body: Box::new(body) };
    native::run(build, vec![actor]).expect("every step does what it says");
}

fn narrowed<W: Word>(step: &Step) -> Step {
    match *step {
        Step::Store(v) => Step::Store(narrow::<W>(v)),
        Step::Swap(v) => Step::Swap(narrow::<W>(v)),
        Step::Exchange(a, b) => Step::Exchange(narrow::<W>(a), narrow::<W>(b)),
        Step::Add(v) => Step::Add(narrow::<W>(v)),
        Step::Sub(v) => Step::Sub(narrow::<W>(v)),
        Step::Or(v) => Step::Or(narrow::<W>(v)),
        Step::And(v) => Step::And(narrow::<W>(v)),
        ref other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_16_bit_word_does_what_an_integer_does(steps in prop::collection::vec(step(2), 1..40)) {
        replay::<u16>(steps);
    }

    #[test]
    fn a_32_bit_word_does_what_an_integer_does(steps in prop::collection::vec(step(4), 1..40)) {
        replay::<u32>(steps);
    }

    #[test]
    fn a_64_bit_word_does_what_an_integer_does(steps in prop::collection::vec(step(8), 1..40)) {
        replay::<u64>(steps);
    }
}
