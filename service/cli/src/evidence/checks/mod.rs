// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kinds of evidence, one file for each: what the index can expect of an item of that kind, and how it is checked.

mod amd_ca;
mod amd_crl;
mod arm_cca;
mod arm_psa;
mod az_vtpm;
mod ccel;
mod corim;
mod csv;
mod dcap;
mod dcap_collateral;
mod ima;
mod launch_measurement;
mod nitro;
mod nvidia;
mod nvidia_ca;
mod nvidia_rim;
mod result_token;
mod s390_se;
mod snp;
mod tcg_eventlog;
mod tpm_ek_ca;
mod tpm_quote;

use anyhow::{Result, bail};

use super::findings::Findings;
use super::index::{Item, Store};

/// Compares one item with what the index expects of it.
type Check = fn(&Item, &Store, &mut Findings) -> Result<()>;

/// Every kind that is checked, by its name in the index.
const KINDS: &[(&str, Check)] = &[
    ("amd-ca", amd_ca::check),
    ("amd-crl", amd_crl::check),
    ("arm-cca", arm_cca::check),
    ("arm-psa", arm_psa::check),
    ("az-vtpm", az_vtpm::check),
    ("ccel", ccel::check),
    ("corim", corim::check),
    ("csv", csv::check),
    ("dcap", dcap::check),
    ("dcap-collateral", dcap_collateral::check),
    ("ima", ima::check),
    ("launch-measurement", launch_measurement::check),
    ("nitro", nitro::check),
    ("nvidia", nvidia::check),
    ("nvidia-ca", nvidia_ca::check),
    ("nvidia-rim", nvidia_rim::check),
    ("result-token", result_token::check),
    ("s390-se", s390_se::check),
    ("snp", snp::check),
    ("tcg-eventlog", tcg_eventlog::check),
    ("tpm-ek-ca", tpm_ek_ca::check),
    ("tpm-quote", tpm_quote::check),
];

/// Runs the checks of the item's kind.
pub(super) fn run(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    match KINDS.iter().find(|(kind, _)| *kind == item.kind) {
        Some((_, check)) => check(item, store, findings),
        None => bail!("nothing of kind {:?} is checked", item.kind),
    }
}

/// Reads a moment as the index writes it, "2022-09-24 00:55:28+00:00".
fn moment(text: &str) -> Result<evtpm_verify::UnixTime> {
    let text = text.trim_end_matches("+00:00").trim_end_matches('Z').replace(' ', "T");
    let seconds = text.split_once('.').map_or(text.as_str(), |(seconds, _)| seconds);
    let moment: der::DateTime =
        format!("{seconds}Z").parse().map_err(|error| anyhow::anyhow!("{text:?} is no moment: {error}"))?;
    Ok(evtpm_verify::UnixTime(moment.unix_duration().as_secs()))
}

/// Shows a moment as the index writes it.
fn shown(moment: evtpm_verify::UnixTime) -> String {
    moment.to_string().replace('T', " ").replace('Z', "+00:00")
}

/// Shows the date of a moment, "2022-09-24".
fn date(moment: evtpm_verify::UnixTime) -> String {
    moment.to_string().split('T').next().unwrap_or_default().to_owned()
}

/// Shows a number's content octets as the index writes serial numbers: hexadecimal without leading zeros.
fn serial(octets: &[u8]) -> String {
    let digits = crate::output::hex(octets);
    let digits = digits.trim_start_matches('0');
    format!("0x{}", if digits.is_empty() { "0" } else { digits })
}

/// One day, in seconds: certificates are looked at a day after they begin to be valid.
const DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_shown_as_the_index_writes_them() {
        let text = "2022-09-24 00:55:28+00:00";
        assert_eq!(shown(moment(text).unwrap()), text);
        assert_eq!(moment("2022-10-13T08:58:02.136000+00:00").unwrap(), moment("2022-10-13T08:58:02Z").unwrap());
    }

    #[test]
    fn a_serial_number_has_no_leading_zeros() {
        assert_eq!(serial(&[0, 0x02, 0x01]), "0x201");
        assert_eq!(serial(&[0]), "0x0");
    }

    #[test]
    fn the_kinds_are_in_order_and_each_once() {
        assert!(KINDS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
