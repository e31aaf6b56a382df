// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The application of the test machine: IMA measures it when it starts, and its configuration when it reads it.

fn main() -> std::io::Result<()> {
    let configuration = std::fs::read_to_string("/etc/app.conf")?;
    println!("running with {}", configuration.trim());
    Ok(())
}
