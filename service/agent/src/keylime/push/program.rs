// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm-agent keylime-push`: an agent that attests to a Keylime verifier by itself.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use evtpm_client::Client;
use evtpm_protocol::templates::rsa_attestation_key;
use evtpm_tpm_wire::Handle;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{PushAgent, Refused, Verifier};
use crate::device::Tpm;
use crate::keylime::certificate::certificate;
use crate::keylime::program::check_name;
use crate::keylime::{ImaList, Registrar};
use crate::keys::{FIRST_EK, Keys};
use crate::random::SystemRng;

/// Seconds before the first new attempt after a failure, and at most.
const BACK_OFF: (u64, u64) = (2, 60);

/// Be a Keylime agent of the push model: register at a registrar, then attest to a verifier whenever it wants to see evidence.
///
/// API version 3.0; no port is opened, and no payload comes. The attestation key is RSA-2048: Keylime takes no other one in
/// this model. Ends by itself only if it cannot work at all.
#[derive(Debug, Args)]
pub struct KeylimePushArgs {
    /// The registrar: http://HOST:8890, or https:// with --registrar-ca.
    #[arg(long, value_name = "URL")]
    pub registrar: String,
    /// The certificate of the CA that signed the registrar's.
    #[arg(long, value_name = "FILE")]
    pub registrar_ca: Option<PathBuf>,
    /// The verifier: https://HOST:8881.
    #[arg(long, value_name = "URL")]
    pub verifier: String,
    /// The certificate of the CA that signed the verifier's (Keylime's `cacert.crt`).
    #[arg(long, value_name = "FILE")]
    pub verifier_ca: PathBuf,
    /// The agent's name: its UUID in Keylime's words, 1 to 80 of `a-z A-Z 0-9 . _ -`.
    #[arg(long, value_name = "NAME")]
    pub uuid: String,
    /// The TPM: a device, the data channel of a software TPM as tcp:HOST:PORT or unix:PATH, or auto: /dev/tpmrm0, else /dev/tpm0.
    #[arg(long, value_name = "TPM", default_value = "auto")]
    pub tpm: String,
    /// The firmware's event log.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/tpm0/binary_bios_measurements")]
    pub event_log: PathBuf,
    /// IMA's list in ASCII form.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/ima/ascii_runtime_measurements")]
    pub ima_list: PathBuf,
}

/// Runs the agent until it is ended.
///
/// # Errors
/// What keeps it from working at all.
pub async fn run(args: &KeylimePushArgs) -> Result<()> {
    check_name(&args.uuid)?;
    let registrar = Registrar::new(&args.registrar, args.registrar_ca.as_deref())?;
    let verifier = Verifier::new(&args.verifier, &args.verifier_ca)?;
    let boot_time = boot_time()?;

    let mut tpm = Client::new(Tpm::open(&args.tpm)?, SystemRng);
    // A TPM need not have the index.
    let index = tpm.nv_read(Handle(FIRST_EK.certificate_index()), &[]).unwrap_or_default();
    let mut keys = Keys::with_attestation_key(tpm, &rsa_attestation_key())?;
    let certificate = certificate(&index, &keys.endorsement_key()?.public)?;

    let mut pause = Pause::default();
    while let Err(error) = registrar.register(&args.uuid, &mut keys, certificate.as_deref(), None).await {
        pause.after(&error.context("registering")).await;
    }
    tracing::info!(agent = args.uuid, "registered");
    let (name, ima) = (args.uuid.clone(), ImaList::new(&args.ima_list));
    let mut agent = PushAgent::new(name, verifier, keys, ima, args.event_log.clone(), boot_time);
    let mut pause = Pause::default();
    loop {
        match agent.attest().await {
            Ok(next) => {
                pause = Pause::default();
                tokio::time::sleep(next.max(Duration::from_secs(1))).await;
            }
            Err(error) => pause.after(&error).await,
        }
    }
}

/// How long to wait after a failure: twice as long each time, or as long as the verifier wants.
struct Pause(u64);

impl Default for Pause {
    fn default() -> Self {
        Pause(BACK_OFF.0)
    }
}

impl Pause {
    async fn after(&mut self, error: &anyhow::Error) {
        let asked = error.downcast_ref::<Refused>().and_then(|refused| refused.retry_after);
        let seconds = asked.map_or(self.0, |asked| asked.as_secs().clamp(1, BACK_OFF.1));
        tracing::warn!(error = format!("{error:#}"), seconds, "attesting; trying again");
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.0 = (self.0 * 2).min(BACK_OFF.1);
    }
}

/// When the machine was started, as the kernel counts it (proc(5), `/proc/stat`).
fn boot_time() -> Result<String> {
    let stat = std::fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime ")).context("/proc/stat has no btime")?;
    written(seconds.trim().parse().context("btime is no number")?)
}

fn written(seconds: i64) -> Result<String> {
    Ok(OffsetDateTime::from_unix_timestamp(seconds)?.format(&Rfc3339)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_time_is_written_in_utc() {
        assert_eq!(written(1_731_428_477).unwrap(), "2024-11-12T16:21:17Z");
        assert!(boot_time().unwrap().ends_with('Z'));
    }
}
