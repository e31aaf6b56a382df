// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Vulnerabilities of other servers, tried on ours over their protocols (docs/VULNERABILITIES.md).

use evtpm_engine::Profile;
use evtpm_testing_foreign::host::Host;
use evtpm_tpmd::devices::engine::EngineDevice;

/// `CMD_SET_STATEBLOB`
const SET_STATE_BLOB: u32 = 0x0d;

/// CVE-2026-75900: swtpm read a header of ten bytes out of a blob of eight.
#[test]
fn cve_2026_75900_a_short_state_blob_is_refused() {
    for kind in 1..=3 {
        for length in 1..24_u32 {
            let mut host = Host::serving(Box::new(EngineDevice::new(Profile::pc_client()).unwrap()));
            // flags, type, length, data
            let words = [SET_STATE_BLOB, 0, kind, length].map(u32::to_be_bytes).concat();
            let blob = [0, 0, 0, 2, 0, 0, 0, 12].into_iter().cycle().take(length as usize).collect::<Vec<u8>>();
            let answer = host.control(&[words, blob].concat());
            assert!(answer.len() >= 4 && answer[..4] != [0; 4], "type {kind}, {length} bytes: {answer:02x?}");
        }
    }
}
