// SPDX-License-Identifier: Apache-2.0 OR MIT
//! QEMU's models of EPYC processors, and the CPUID signature that each leaves in RDX (QEMU, target/i386/cpu.c).

/// Family, model and stepping of each model; its versions (`EPYC-v4`, `EPYC-Milan-v2`) share them.
const MODELS: [(&str, u32, u32, u32); 5] = [
    ("EPYC-Rome", 0x17, 0x31, 0),
    ("EPYC-Milan", 0x19, 0x01, 1),
    ("EPYC-Genoa", 0x19, 0x11, 0),
    ("EPYC-Turin", 0x1a, 0x00, 0),
    ("EPYC", 0x17, 0x01, 2),
];

/// Returns CPUID Fn0000_0001_EAX of the model with this name.
///
/// ```
/// assert_eq!(evtpm_measure::cpu::signature("EPYC-Milan-v2"), Some(0x00a0_0f11));
/// assert_eq!(evtpm_measure::cpu::signature("EPYC-v4"), Some(0x0080_0f12));
/// assert_eq!(evtpm_measure::cpu::signature("Nehalem"), None);
/// ```
pub fn signature(model: &str) -> Option<u32> {
    let (_, family, number, stepping) = MODELS.iter().find(|(name, ..)| {
        model.strip_prefix(name).is_some_and(|version| version.is_empty() || version == "-IBPB" || is_version(version))
    })?;
    Some(of_parts(*family, *number, *stepping))
}

/// Returns the names of all models.
pub fn models() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|(name, ..)| *name)
}

/// Composes a signature as CPUID does: the base family is at most 15, the rest is the extended one.
fn of_parts(family: u32, model: u32, stepping: u32) -> u32 {
    let base = family.min(0xf);
    let extended = family.saturating_sub(base) & 0xff;
    extended << 20 | (model >> 4 & 0xf) << 16 | base << 8 | (model & 0xf) << 4 | stepping & 0xf
}

fn is_version(text: &str) -> bool {
    text.strip_prefix("-v")
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use sev::measurement::vcpu_types::CpuType;

    use super::*;

    #[test]
    fn the_sev_crate_has_the_same_signatures() {
        for number in (0..=17).filter(|number| *number != 2) {
            let theirs = CpuType::try_from(number as u8).unwrap();
            assert_eq!(signature(&theirs.to_string()), Some(theirs.sig() as u32), "{theirs}");
        }
    }

    #[test]
    fn a_name_that_only_begins_like_a_model_is_none() {
        assert_eq!(signature("EPYC-Napoli"), None);
        assert_eq!(signature("EPYC-v"), None);
    }
}
