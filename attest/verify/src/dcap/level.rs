// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether Intel lists a TCB level that a platform reaches (*Intel PCS API*, "Get TCB Info", the algorithm of "TCB status").

use evtpm_evidence::pcs::{Component, Level, Levels};
use evtpm_evidence::quote::{Body, Quote};

use super::PckFacts;
use crate::Error;
use crate::error::Hex;

/// Tells whether there is a level whose every version the platform reaches; the document has to be about such platforms.
pub(super) fn exists(tcb_info: &str, quote: &Quote<'_>, platform: &PckFacts) -> Result<bool, Error> {
    let levels = Levels::parse(tcb_info)?;
    let fmspc = Hex(&platform.fmspc).to_string();
    if !levels.fmspc.eq_ignore_ascii_case(&fmspc) {
        let detail = format!("it is about platforms {}, and the quote is of a {fmspc}", levels.fmspc);
        return Err(Error::Collateral { detail });
    }
    let td_versions = match &quote.body {
        Body::Enclave(_) => None,
        Body::Td(td) => Some(td.tcb_svn()),
    };
    Ok(levels.tcb_levels.iter().any(|level| reaches(level, platform, td_versions)))
}

fn reaches(level: &Level, platform: &PckFacts, td_versions: Option<[u8; 16]>) -> bool {
    let of_td = match (td_versions, &level.tcb.td_components) {
        (None, _) => true,
        (Some(_), None) => false,
        // The first two versions are the TDX module's. From its major version 1 on (the second of them) the module has an
        // identity of its own, by which it is judged.
        (Some(versions), Some(least)) => {
            let from = if versions.get(1) == Some(&0) { 0 } else { 2 };
            all(&versions, least, from)
        }
    };
    of_td && platform.pce_svn >= level.tcb.pce && all(&platform.components, &level.tcb.components, 0)
}

fn all(versions: &[u8; 16], least: &[Component; 16], from: usize) -> bool {
    versions.iter().zip(least).skip(from).all(|(version, least)| *version >= least.svn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UnixTime;
    use evtpm_evidence::pcs::Tcb;

    fn level(component: u8, pce: u16, td: Option<u8>) -> Level {
        let components = |svn| [Component { svn }; 16];
        Level { tcb: Tcb { components: components(component), pce, td_components: td.map(components) } }
    }

    fn platform(component: u8, pce_svn: u16) -> PckFacts {
        PckFacts {
            fmspc: [0; 6],
            pce_id: [0; 2],
            components: [component; 16],
            pce_svn,
            authority: String::new(),
            validity: (UnixTime(0), UnixTime(1)),
        }
    }

    #[test]
    fn every_version_has_to_be_reached() {
        assert!(reaches(&level(5, 11, None), &platform(5, 11), None));
        assert!(!reaches(&level(5, 11, None), &platform(5, 10), None));
        let mut short = platform(5, 11);
        short.components[15] = 4;
        assert!(!reaches(&level(5, 11, None), &short, None));
    }

    #[test]
    fn a_td_is_measured_against_its_own_components_too() {
        assert!(!reaches(&level(5, 11, None), &platform(5, 11), Some([9; 16])), "no level of TDX");
        let mut versions = [3; 16];
        assert!(reaches(&level(5, 11, Some(3)), &platform(5, 11), Some(versions)));
        // A module of major version 1 or later is judged by its identity, and not here.
        versions[0] = 0;
        assert!(reaches(&level(5, 11, Some(3)), &platform(5, 11), Some(versions)));
        versions[1] = 0;
        assert!(!reaches(&level(5, 11, Some(3)), &platform(5, 11), Some(versions)));
    }
}
