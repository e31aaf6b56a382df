// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm-agent keylime-push`: an agent that attests to a Keylime verifier by itself.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use evtpm_protocol::templates::rsa_attestation_key;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{PushAgent, Refused, Verifier};
use crate::back_off::BackOff;
use crate::keylime::options::AgentOptions;
use crate::keylime::registrar::Shown;

/// Seconds before the first new attempt after a failure.
const FIRST_WAIT: u64 = 2;

/// Be a Keylime agent of the push model: register at a registrar, then attest to a verifier whenever it wants to see evidence.
///
/// API version 3.0; no port is opened, and no payload comes. The attestation key is RSA-2048: Keylime takes no other one in
/// this model. Ends by itself only if it cannot work at all.
#[derive(Debug, Args)]
pub struct KeylimePushArgs {
    /// What every Keylime agent takes.
    #[command(flatten)]
    pub options: AgentOptions,
    /// The verifier: https://HOST:8881.
    #[arg(long, value_name = "URL")]
    pub verifier: String,
    /// The certificate of the CA that signed the verifier's (Keylime's `cacert.crt`).
    #[arg(long, value_name = "FILE")]
    pub verifier_ca: PathBuf,
}

/// Runs the agent until it is ended.
///
/// # Errors
/// What keeps it from working at all.
pub async fn run(args: &KeylimePushArgs) -> Result<()> {
    let options = &args.options;
    let name = options.name()?;
    let registrar = options.registrar()?;
    let verifier = Verifier::new(&args.verifier, &args.verifier_ca)?;
    let boot_time = boot_time()?;
    let (mut keys, certificate) = options.keys(&rsa_attestation_key())?;

    let mut back_off = BackOff::starting_at(FIRST_WAIT);
    let shown = Shown { certificate: certificate.as_deref(), device: Some(&options.device), contact: None };
    while let Err(error) = registrar.register(name, &mut keys, shown).await {
        back_off.wait("registering", &error, None).await;
    }
    tracing::info!(agent = name, "registered");
    let (event_log, ima) = (options.event_log.clone(), options.ima_list());
    let mut agent = PushAgent::new(name.to_owned(), verifier, keys, ima, event_log, boot_time);
    let mut back_off = BackOff::starting_at(FIRST_WAIT);
    loop {
        match agent.attest().await {
            Ok(next) => {
                back_off = BackOff::starting_at(FIRST_WAIT);
                tokio::time::sleep(next.max(Duration::from_secs(1))).await;
            }
            Err(error) => {
                let asked = error.downcast_ref::<Refused>().and_then(|refused| refused.retry_after);
                back_off.wait("attesting", &error, asked).await;
            }
        }
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
