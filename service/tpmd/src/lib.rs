// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Serves TPMs to hosts: swtpm and MSSIM protocols.
#![forbid(unsafe_code)]
