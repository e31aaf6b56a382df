// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The attack of a guest on its own attestation: it takes the TPM away from the SVSM, as far as commands go.

use anyhow::{Context, Result};
use evtpm_agent::attester::Attester;
use evtpm_agent::random::SystemRng;
use evtpm_agent::tsm::{ServiceReport, SvsmReports, Tsm};
use evtpm_client::{Auth, Client};
use evtpm_protocol::templates::EkTemplate;
use evtpm_svsm_abi::manifest::VtpmManifestV1;
use evtpm_tpm_wire::commands::{
    ChangeEps, ChangeEpsHandles, HierarchyChangeAuth, HierarchyChangeAuthHandles, HierarchyControl,
    HierarchyControlHandles,
};
use evtpm_tpm_wire::{
    Tpm2bAuth, TpmiRhBaseHierarchy, TpmiRhEnables, TpmiRhHierarchy, TpmiRhHierarchyAuth, TpmiRhPlatform, YesNo,
};

use super::Attack;
use crate::demo::tsm::GuestKernel;
use crate::vm::Vm;

/// More objects than the TPM has room for.
const MANY: usize = 64;

pub(super) const WEDGED_ATTESTATION: Attack = Attack {
    name: "wedged attestation",
    row: 16,
    about: "the guest changes the seed, takes and disables the hierarchy, fills the TPM, and shows the key of before",
    caught_by: "a key of the manifest",
    run: |stage| {
        let (vm, _) = stage.world.play(stage.world.launch()?, &stage.world.boot)?;
        let svsm = GuestKernel::open(&vm)?;
        if !stage.play.is_tampered() {
            return stage.world.attest_by_svsm(stage.verifier, stage.machine, vm, svsm);
        }
        // The attester makes its keys, and shows them, before the attack; what the SVSM says is asked for after it.
        let attester = Attester::with_svsm(vm.clone(), SystemRng, Box::new(WedgeFirst { vm, svsm }));
        stage.world.attest_with(stage.verifier, stage.machine, attester)
    },
};

/// A guest's kernel that wedges the TPM before it asks the SVSM.
#[derive(Debug)]
struct WedgeFirst {
    vm: Vm,
    svsm: Tsm<GuestKernel>,
}

impl SvsmReports for WedgeFirst {
    fn vtpm_report(&mut self, nonce: &[u8; 64], manifest_version: u32) -> Result<Option<ServiceReport>> {
        let keys = |answer: &ServiceReport| -> Result<Vec<Vec<u8>>> {
            Ok(VtpmManifestV1::parse(&answer.manifest)?.keys().map(<[u8]>::to_vec).collect())
        };
        let before = self.svsm.vtpm_report(nonce, manifest_version)?.context("no manifest before the attack")?;
        wedge(&mut Client::new(self.vm.clone(), SystemRng))?;
        let after = self.svsm.vtpm_report(nonce, manifest_version)?.context("the guest wedged the attestation")?;
        let (old, live) = (keys(&before)?, keys(&after)?);
        anyhow::ensure!(!live.iter().any(|key| old.contains(key)), "an old key is in the manifest");
        Ok(Some(after))
    }
}

/// Does what a guest with all authorisations can do, in an order in which each step is still possible.
fn wedge(tpm: &mut Client<Vm, SystemRng>) -> Result<()> {
    tpm.run(ChangeEpsHandles { auth_handle: TpmiRhPlatform::Platform }, &ChangeEps {}, &mut [Auth::EMPTY])?;
    let endorsement = HierarchyChangeAuthHandles { auth_handle: TpmiRhHierarchyAuth::Endorsement };
    let new_auth = Tpm2bAuth::new(b"the guest's own").context("a short authValue")?;
    tpm.run(endorsement, &HierarchyChangeAuth { new_auth }, &mut [Auth::EMPTY])?;
    let made = (0..MANY)
        .take_while(|_| tpm.create_primary(TpmiRhHierarchy::Owner, &[], &EkTemplate::L2.public()).is_ok())
        .count();
    anyhow::ensure!(made < MANY, "the TPM has room without end");
    let platform = HierarchyControlHandles { auth_handle: TpmiRhBaseHierarchy::Platform };
    let disable = HierarchyControl { enable: TpmiRhEnables::Endorsement, state: YesNo::No };
    tpm.run(platform, &disable, &mut [Auth::EMPTY])?;
    Ok(())
}
