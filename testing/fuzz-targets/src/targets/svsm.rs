// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What guest and SVSM say to each other: requests one way, manifests the other.

use evtpm_svsm_abi::attest::Operation;
use evtpm_svsm_abi::core_protocol::PvalidateList;
use evtpm_svsm_abi::manifest::{ServicesManifest, VtpmManifestV1};
use evtpm_svsm_abi::vtpm::{SendCommand, parse_response};

/// Parses both kinds of manifest.
pub(super) fn manifest(input: &[u8]) -> bool {
    let services = ServicesManifest::parse(input);
    let keys = VtpmManifestV1::parse(input);
    if let Ok(services) = &services {
        assert!(services.iter().all(|(_, data)| data.len() <= input.len()));
    }
    if let Ok(keys) = &keys {
        let total: usize = keys.keys().map(<[u8]>::len).sum();
        assert_eq!(total + 8, input.len(), "the keys fill the manifest");
    }
    services.is_ok() || keys.is_ok()
}

pub(super) fn manifest_seeds() -> Vec<Vec<u8>> {
    vec![vec![0, 0, 0, 1, 0, 0, 0, 2, 0, 3, 1, 2, 3, 0, 1, 9]]
}

/// Parses a guest's buffer as each thing that it may be.
pub(super) fn request(input: &[u8]) -> bool {
    let command = SendCommand::parse(input);
    if let Ok(command) = &command {
        let mut written = vec![0; input.len()];
        assert!(command.write(&mut written).is_ok_and(|size| SendCommand::parse(&written[..size]) == Ok(*command)));
    }
    let accepted = [
        parse_response(input).is_ok(),
        Operation::parse_services(input).is_ok(),
        Operation::parse_single_service(input).is_ok(),
        PvalidateList::parse(input).is_ok(),
        command.is_ok(),
    ];
    accepted.contains(&true)
}

pub(super) fn request_seeds() -> Vec<Vec<u8>> {
    let get_random = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8];
    let mut buffer = vec![0; 64];
    let written = SendCommand { locality: 0, tpm_command: &get_random }.write(&mut buffer);
    let mut pvalidate = vec![2, 0, 0, 0, 0, 0, 0, 0];
    pvalidate.extend([0; 16]);
    let mut seeds = vec![vec![0; 0x40], pvalidate];
    seeds.extend(written.is_ok().then_some(buffer));
    seeds
}
