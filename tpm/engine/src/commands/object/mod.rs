// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Object Commands".

mod activate_credential;
mod create;
mod create_loaded;
mod load;
mod load_external;
mod make_credential;
mod object_change_auth;
mod read_public;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_v185;
mod unseal;
