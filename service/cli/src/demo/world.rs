// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The demonstration's world: a chip, an operator with a policy, a verifier, and machines that boot.

use std::path::PathBuf;

use anyhow::{Context, Result};
use evtpm_agent::attester::Attester;
use evtpm_agent::logs::Logs;
use evtpm_agent::tsm::SvsmReports;
use evtpm_api::{BankSelection, QuoteChallenge, RuntimeEvidence};
use evtpm_appraise::policy::{Bytes, TcbFloor};
use evtpm_appraise::{Claims, Policy};
use evtpm_client::{Client, Transport};
use evtpm_fleet::{Played, RecordedBoot};
use evtpm_logs::{HashId, PcrIndex, PcrSet};
use evtpm_sp_sim::{Authority, Host, Platform, Product, Role, UnixTime as SpTime};
use evtpm_verify::UnixTime;
use evtpm_verify::evtpm::{Binding, BindingProfile, bind};
use evtpm_verify::logs::{Keyring, MeasuredBoot, MeasuredRuntime, RuntimeRules};
use evtpm_verify::snp::{self, Anchors, Collateral};
use evtpm_verify::tpm::{AkPublic, Credential, Issued, Nonce, QuoteEvidence, Selection};
use tokio::runtime::Runtime;

use super::verifier::{Answer, Beliefs, LocalVerifier};
use crate::launch::{self, Image};
use crate::vm::Vm;
use evtpm_agent::random::SystemRng;

/// Everything that stays the same from machine to machine.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) executable: Vec<u8>,
    pub(crate) product: Product,
    pub(crate) measurement: [u8; 48],
    pub(crate) boot: RecordedBoot,
    pub(crate) beliefs: Beliefs,
    directory: PathBuf,
}

impl World {
    /// Builds the operator's side: the predicted measurement, the trusted root, and the policy of a reference machine.
    pub(crate) fn new(product: Product) -> Result<Self> {
        let executable = crate::sp::this_executable()?;
        // From the file, by the independent predictor: the simulator has no say in what the policy demands.
        let measurement = evtpm_measure::elf::launch(&executable, None)?.digest().0;
        let authority = Authority::new(product);
        let root = (authority.common_name(Role::Ark), authority.certificate(Role::Ark)?);
        let mut world = World {
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?,
            executable,
            product,
            measurement,
            boot: RecordedBoot::debian(),
            beliefs: Beliefs {
                policy: Policy::new(evtpm_appraise::policy::SnpPolicy::new(measurement)),
                simulated_roots: vec![root],
                collateral: Vec::new(),
                ek_authorities: Vec::new(),
            },
            directory: std::env::temp_dir(),
        };
        world.beliefs.collateral = world.collateral(world.host()?)?;
        world.beliefs.policy = world.learn()?;
        Ok(world)
    }

    /// The chip of this world's well-kept machines.
    pub(crate) fn platform(&self) -> Platform {
        Platform::new(self.product, crate::sp::CHIP_SEED).with_issued(SpTime(now().0.saturating_sub(86_400)))
    }

    /// Powers the chip on.
    pub(crate) fn host(&self) -> Result<Host> {
        launch::host(self.platform())
    }

    /// What the key distribution service has on a chip: its certificate and those above it.
    pub(crate) fn collateral(&self, mut host: Host) -> Result<Vec<(String, Vec<u8>)>> {
        crate::sp::collateral(self.product, host.processor())
    }

    /// Launches a good machine.
    pub(crate) fn launch(&self) -> Result<Vm> {
        Vm::launch(self.host()?, &Image::new(&self.executable))
    }

    /// Plays a boot into a machine's TPM.
    pub(crate) fn play<T: Transport>(&self, tpm: T, boot: &RecordedBoot) -> Result<(T, Played)> {
        let mut client = Client::new(tpm, SystemRng);
        let played = boot.play(&mut client)?;
        Ok((client.into_transport(), played))
    }

    /// Starts a verifier with the given beliefs.
    pub(crate) fn verifier(&self, beliefs: Beliefs) -> Result<LocalVerifier> {
        let mut name = [0; 8];
        getrandom::fill(&mut name)?;
        let directory = self.directory.join(format!("evtpm-demo-{}", crate::output::hex(&name)));
        LocalVerifier::start(&self.runtime, directory, beliefs)
    }

    /// The production path from a machine to a verdict: register, then answer a challenge.
    pub(crate) fn attest<T: Transport>(
        &self,
        verifier: &LocalVerifier,
        machine: &str,
        tpm: T,
        logs: &RecordedBoot,
    ) -> Result<Answer> {
        self.attest_by(verifier, machine, Attester::new(tpm, SystemRng), logs)
    }

    /// As [`World::attest`], with a report that the SVSM makes in answer to the verifier's nonce.
    pub(crate) fn attest_by_svsm<T: Transport>(
        &self,
        verifier: &LocalVerifier,
        machine: &str,
        tpm: T,
        svsm: impl SvsmReports + 'static,
    ) -> Result<Answer> {
        self.attest_with(verifier, machine, Attester::with_svsm(tpm, SystemRng, Box::new(svsm)))
    }

    /// As [`World::attest`], with the attester that the scenario made, if it could.
    pub(crate) fn attest_with<T: Transport>(
        &self,
        verifier: &LocalVerifier,
        machine: &str,
        attester: Result<Attester<T, SystemRng>>,
    ) -> Result<Answer> {
        self.attest_by(verifier, machine, attester, &self.boot)
    }

    fn attest_by<T: Transport>(
        &self,
        verifier: &LocalVerifier,
        machine: &str,
        attester: Result<Attester<T, SystemRng>>,
        logs: &RecordedBoot,
    ) -> Result<Answer> {
        let mut attester = match attester {
            Ok(attester) => attester,
            Err(error) => return Ok(Answer::NoEvidence(format!("{error:#}"))),
        };
        let outcome = self.runtime.block_on(async {
            let mut connection = verifier.connect().await?;
            let registered = attester.register(&mut connection, machine).await?;
            attester.attest(&mut connection, &registered, || Ok(logs_of(logs))).await
        });
        Answer::of(outcome)
    }

    /// Learns a policy from a reference machine in the operator's own hands, then puts the predicted measurement and the
    /// chip's TCB as the floor into it.
    fn learn(&self) -> Result<Policy> {
        let (vm, _) = self.play(self.launch()?, &self.boot)?;
        let mut attester = Attester::new(vm, SystemRng)?;
        let evidence = attester.launch_evidence(&[])?;
        let at = now();

        let (name, certificate) = self.beliefs.simulated_roots.first().context("no root")?;
        let anchors = Anchors::none().and_simulated(name, certificate)?;
        let mut collateral = Collateral::new();
        collateral.add_files(self.beliefs.collateral.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))?;
        let report = snp::verify(&evidence.report, &collateral, &anchors, at)?;
        let ek = bind(report, Binding::NvReport { ek: &evidence.ek_public }, at)?;
        let (challenge, credential) =
            Credential::make(ek, AkPublic::from_tpm2b(&evidence.ak_public)?, &mut SystemRng, UnixTime(at.0 + 60))?;
        let proof = attester.open_credential(&evtpm_api::CredentialChallenge {
            credential: challenge.credential.into(),
            secret: challenge.secret.into(),
        })?;
        let key = credential.prove(&proof.secret, at)?;

        let nonce = Issued::<Nonce>::issue(&mut SystemRng, UnixTime(at.0 + 60))?;
        let pcrs: PcrSet = PcrIndex::all().filter(|pcr| pcr.value() <= 14).collect();
        let selection = Selection::new().with(HashId::SHA256, pcrs).context("an empty selection")?;
        let challenge = QuoteChallenge {
            challenge: String::new(),
            nonce: nonce.challenge().as_slice().into(),
            selection: vec![BankSelection { bank: "sha256".into(), pcrs: pcrs.iter().map(PcrIndex::value).collect() }],
            event_log: true,
            ima_from: 0,
            expires_in: 60,
        };
        let evidence = attester.quote(&challenge, &[], || Ok(logs_of(&self.boot)))?;
        let claims = runtime_claims(&key, nonce, &selection, &evidence, at)?;
        let mut policy = Policy::learn(&claims)?;
        policy.name = "the demonstration's policy, learnt from a reference machine".into();
        let launch = policy.snp.as_mut().context("a policy without launch")?;
        launch.measurements = vec![Bytes(self.measurement)];
        for floor in launch.tcb.values_mut() {
            *floor = TcbFloor::from(self.platform().reported_tcb);
        }
        // The reference machine showed the report in its NV memory; one that answers a nonce is as good.
        let accepted = [BindingProfile::NvReport, BindingProfile::SvsmManifestV1, BindingProfile::SvsmManifestV0];
        policy.tpm.as_mut().context("a policy without TPM")?.bindings =
            accepted.map(|profile| profile.name().to_owned()).into();
        Ok(policy)
    }
}

fn runtime_claims(
    key: &evtpm_verify::tpm::TrustedAk,
    nonce: Issued<Nonce>,
    selection: &Selection,
    evidence: &RuntimeEvidence,
    at: UnixTime,
) -> Result<Claims> {
    let values: Vec<&[u8]> = evidence.pcrs.iter().map(|value| &**value).collect();
    let quote = QuoteEvidence { message: &evidence.message, signature: &evidence.signature, values: &values };
    let quote = key.verify(quote, nonce.on_channel(evtpm_api::QUALIFYING_LABEL, &[]), selection, at)?;
    let ima = PcrIndex::new(10).context("there is no PCR 10")?;
    let boot = MeasuredBoot::verify(quote, &evidence.event_log, [ima].into_iter().collect())?;
    let runtime = MeasuredRuntime::verify(boot, &evidence.ima_log, RuntimeRules::default())?;
    Ok(Claims::new().with_key(key).with_runtime(&runtime, &Keyring::new())?)
}

/// A recorded boot's logs as the agent sends them.
pub(crate) fn logs_of(boot: &RecordedBoot) -> Logs {
    Logs { event_log: boot.event_log.clone(), ima_log: boot.ima_log.clone() }
}

/// The time of day.
pub(crate) fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixTime(since.map_or(0, |since| since.as_secs()))
}
