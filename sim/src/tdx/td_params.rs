//! TD_PARAMS: what the host asks of a new TD, 1 KiB of its memory that MNG.INIT reads.
//!
//! The model has no contents of host pages. A script writes the parameters of an address into this
//! book; an address without an entry holds valid ones. Of the fields only MAX_VCPUS has an effect
//! later; the others are checked as the ABI says which values it refuses, and forgotten.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pamt_strategies::module::Operand;

use super::layout::tdcs::MOST_VCPUS;

/// DEBUG, SEPT_VE_DISABLE, MIGRATABLE, PKS, KL, TPA and PERFMON.
const ATTRIBUTES: u64 = 1 | 0xF << 28 | 3 << 62;
/// x87 and SSE state, which every TD has.
const XFAM_FIXED: u64 = 3;
/// AVX, PKRU, AVX-512, CET and AMX state besides.
const XFAM: u64 = XFAM_FIXED | 1 << 2 | 7 << 5 | 1 << 9 | 3 << 11 | 3 << 17;
/// Write-back, walks of four or five levels.
const EPTP: [u64; 2] = [6 | 3 << 3, 6 | 4 << 3];
/// 100 MHz to 10 GHz, in units of 25 MHz.
const TSC_FREQUENCY: core::ops::RangeInclusive<u64> = 4..=400;

/// Parameters of a TD, as MNG.INIT checks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are named by the ABI")]
pub struct TdParams {
    pub attributes: u64,
    pub xfam: u64,
    pub max_vcpus: u64,
    pub num_l2_vms: u64,
    pub eptp_controls: u64,
    pub exec_controls: u64,
    pub tsc_frequency: u64,
    /// Values for CPUID bits; the model lets the host configure none.
    pub cpuid_config: u64,
}

impl Default for TdParams {
    fn default() -> Self {
        Self {
            attributes: 0,
            xfam: XFAM_FIXED,
            max_vcpus: MOST_VCPUS.into(),
            num_l2_vms: 0,
            eptp_controls: EPTP[0],
            exec_controls: 0,
            tsc_frequency: 80,
            cpuid_config: 0,
        }
    }
}

impl TdParams {
    /// # Errors
    /// The first field that MNG.INIT refuses. L2 VMs are refused because the model has none.
    pub(super) fn check(&self) -> Result<(), Operand> {
        let checks = [
            (self.attributes & !ATTRIBUTES == 0, Operand::ATTRIBUTES),
            (self.xfam & !XFAM == 0 && self.xfam & XFAM_FIXED == XFAM_FIXED, Operand::XFAM),
            ((1..=MOST_VCPUS.into()).contains(&self.max_vcpus), Operand::MAX_VCPUS),
            (self.num_l2_vms == 0, Operand::NUM_L2_VMS),
            (EPTP.contains(&self.eptp_controls), Operand::EPTP_CONTROLS),
            (self.exec_controls == 0, Operand::EXEC_CONTROLS),
            (TSC_FREQUENCY.contains(&self.tsc_frequency), Operand::TSC_FREQUENCY),
            (self.cpuid_config == 0, Operand::CPUID_CONFIG),
        ];
        checks.iter().find(|(valid, _)| !valid).map_or(Ok(()), |(_, operand)| Err(*operand))
    }
}

/// Parameters by the address that the host has written them to.
#[derive(Default)]
pub(super) struct TdParamsBook(Mutex<BTreeMap<u64, TdParams>>);

impl TdParamsBook {
    pub(super) fn write(&self, hpa: u64, params: TdParams) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(hpa, params);
    }

    pub(super) fn read(&self, hpa: u64) -> TdParams {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.get(&hpa).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_out_of_range_is_refused_by_its_own_operand() {
        let valid = TdParams::default();
        assert_eq!(valid.check(), Ok(()));
        let wrong = [
            (TdParams { attributes: 2, ..valid }, Operand::ATTRIBUTES),
            (TdParams { xfam: 1, ..valid }, Operand::XFAM),
            (TdParams { max_vcpus: 0, ..valid }, Operand::MAX_VCPUS),
            (TdParams { max_vcpus: 577, ..valid }, Operand::MAX_VCPUS),
            (TdParams { num_l2_vms: 1, ..valid }, Operand::NUM_L2_VMS),
            (TdParams { eptp_controls: 0, ..valid }, Operand::EPTP_CONTROLS),
            (TdParams { exec_controls: 1, ..valid }, Operand::EXEC_CONTROLS),
            (TdParams { tsc_frequency: 3, ..valid }, Operand::TSC_FREQUENCY),
            (TdParams { cpuid_config: 1, ..valid }, Operand::CPUID_CONFIG),
        ];
        for (params, operand) in wrong {
            assert_eq!(params.check(), Err(operand), "{params:?}");
        }
    }
}
