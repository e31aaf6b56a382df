// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What evidence affirms where nothing objects, claim by claim (draft-ietf-rats-ar4si, "Trustworthiness Claims").

use evtpm_verify::nvidia::DeviceClaims;

use crate::{
    claims::{Claims, Proven},
    finding::Layer,
    policy::{Policy, SnpPolicy},
    vector::{TrustClaim, TrustVector},
};

/// Returns what a layer's evidence affirms where nothing objects; `None` if there is none, or no rule looks at it.
pub(crate) fn affirmed(layer: Layer, policy: &Policy, claims: &Claims) -> Option<TrustVector> {
    let none = TrustVector::NONE;
    let best_if = |checked: bool| if checked { TrustClaim::BEST } else { TrustClaim::NONE };
    let approved_if = |checked: bool| if checked { TrustClaim::APPROVED_BOOT } else { TrustClaim::NONE };
    match layer {
        Layer::Snp => policy.snp.as_ref().zip(claims.report()).map(|(rules, _)| TrustVector {
            instance_identity: best_if(names_an_instance(rules)),
            configuration: TrustClaim::BEST,
            executables: TrustClaim::APPROVED_BOOT,
            hardware: TrustClaim::BEST,
            runtime_opaque: TrustClaim::BEST,
            ..none
        }),
        Layer::Tdx => policy.tdx.as_ref().zip(claims.td()).map(|(rules, _)| TrustVector {
            instance_identity: best_if(!(rules.config_ids.is_empty() && rules.owners.is_empty())),
            configuration: TrustClaim::BEST,
            executables: TrustClaim::APPROVED_BOOT,
            ..genuine_and_opaque()
        }),
        Layer::Sgx => policy.sgx.as_ref().zip(claims.enclave()).map(|_| TrustVector {
            configuration: TrustClaim::BEST,
            executables: TrustClaim::BEST,
            ..genuine_and_opaque()
        }),
        Layer::Azure => policy.azure.as_ref().zip(claims.paravisor()).map(|(rules, _)| TrustVector {
            instance_identity: best_if(!rules.vm_ids.is_empty()),
            configuration: best_if(rules.secure_boot.is_some()),
            ..none
        }),
        Layer::Nitro => policy.nitro.as_ref().zip(claims.nitro()).map(|_| TrustVector {
            configuration: TrustClaim::BEST,
            executables: TrustClaim::APPROVED_BOOT,
            ..genuine_and_opaque()
        }),
        Layer::CcaPlatform => policy.cca.as_ref().zip(claims.cca_platform()).map(|(rules, _)| TrustVector {
            configuration: best_if(!rules.configs.is_empty()),
            executables: approved_if(!(rules.components.is_empty() && rules.signers.is_empty())),
            hardware: TrustClaim::BEST,
            ..none
        }),
        Layer::CcaRealm => policy.cca.as_ref().zip(claims.cca_realm()).map(|(rules, _)| TrustVector {
            instance_identity: best_if(!rules.personalizations.is_empty()),
            executables: TrustClaim::APPROVED_BOOT,
            runtime_opaque: TrustClaim::BEST,
            ..none
        }),
        Layer::Psa => policy.psa.as_ref().zip(claims.psa()).map(|(rules, _)| TrustVector {
            instance_identity: best_if(!rules.instances.is_empty()),
            executables: approved_if(!(rules.components.is_empty() && rules.signers.is_empty())),
            hardware: TrustClaim::BEST,
            ..none
        }),
        Layer::Nvidia => policy.nvidia.as_ref().zip(claims.nvidia().first()).map(|(rules, _)| TrustVector {
            executables: approved_if(!rules.measurements.is_empty() || claims.nvidia().iter().all(is_compared)),
            hardware: TrustClaim::BEST,
            ..none
        }),
        Layer::S390 => policy
            .s390
            .as_ref()
            .zip(claims.s390())
            .map(|_| TrustVector { executables: TrustClaim::APPROVED_BOOT, ..genuine_and_opaque() }),
        Layer::Csv => policy.csv.as_ref().zip(claims.csv()).map(|(rules, _)| TrustVector {
            instance_identity: best_if(!(rules.vm_ids.is_empty() && rules.owner_keys.is_empty())),
            configuration: TrustClaim::BEST,
            executables: TrustClaim::APPROVED_BOOT,
            ..genuine_and_opaque()
        }),
        Layer::Tpm => claims.key().map(|_| TrustVector { instance_identity: TrustClaim::BEST, ..none }),
        Layer::Boot => {
            policy.boot.as_ref().filter(|_| claims.boot_stands || claims.boot.is_some()).map(|rules| TrustVector {
                configuration: best_if(!rules.command_lines.is_empty() || rules.secure_boot.is_some()),
                executables: approved_if(!rules.applications.is_empty()),
                ..none
            })
        }
        Layer::Runtime => policy.ima.as_ref().zip(claims.runtime()).map(|_| TrustVector {
            executables: TrustClaim::BEST,
            file_system: TrustClaim::BEST,
            ..none
        }),
    }
}

/// Says whether NVIDIA's manifests of all that a device reports speak of its measurements.
fn is_compared(device: &Proven<DeviceClaims>) -> bool {
    let claims = device.claims();
    claims.comparison.as_ref().is_some_and(|comparison| comparison.is_complete(claims))
}

/// Hardware that is what it says, and memory that only its owner sees.
const fn genuine_and_opaque() -> TrustVector {
    TrustVector { hardware: TrustClaim::BEST, runtime_opaque: TrustClaim::BEST, ..TrustVector::NONE }
}

/// Says whether the rules name this instance, its owner or its machine, rather than any that runs the same code.
fn names_an_instance(rules: &SnpPolicy) -> bool {
    !(rules.host_data.is_empty()
        && rules.chips.is_empty()
        && rules.providers.is_empty()
        && rules.id_keys.is_empty()
        && rules.author_keys.is_empty())
}
