//! The module in each world that it is generic over: simulated, native, loom, shuttle. (The stepped
//! world has the conformance scripts.)

mod audit;
mod races;
mod vectors;
mod worlds;
