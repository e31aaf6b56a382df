// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm demo`.
mod boot;
mod random;
mod verifier;
mod vm;
mod world;
pub(crate) fn run() -> anyhow::Result<crate::Outcome> {
    let world = world::World::new(evtpm_sp_sim::Product::Milan)?;
    let verifier = world.verifier(world.beliefs.clone())?;
    let (vm, played) = world.play(world.launch()?, &world.boot)?;
    println!("{played:?}");
    let answer = world.attest(&verifier, vm, &world.boot)?;
    println!("{:?} {:?}", answer.is_trusted(), answer.reasons());
    Ok(crate::Outcome::Good)
}
