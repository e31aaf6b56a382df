// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm demo`: the whole story in seconds, and then every attack on it.

mod attacks;
mod story;
mod tsm;
mod verifier;
pub(crate) mod world;

use anyhow::Result;
use clap::Args;

use self::attacks::{ATTACKS, Play, Stage, is_caught};
use self::story::{Story, Told};
use self::world::World;
use crate::Outcome;
use crate::output::hex;
use crate::tpm::ProductName;

/// Play the whole story: a simulated chip launches an e-vTPM, a recorded boot is measured into it, a verifier judges it;
/// then the attacks, each with what catches it.
///
/// Needs no privileges, no hardware and no network but the loopback interface.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The processor line that is simulated.
    #[arg(long, value_enum, default_value_t = ProductName::Milan)]
    product: ProductName,
    /// Leave the attacks out.
    #[arg(long)]
    no_attacks: bool,
    /// Print JSON instead of the story.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(demo: &Demo) -> Result<Outcome> {
    let mut story = Story::new(demo.json);
    let world = World::new(demo.product.into())?;
    let verifier = world.verifier(world.beliefs.clone())?;
    tell_the_good_machine(&mut story, &world, &verifier)?;
    if !demo.no_attacks {
        story.chapter("The attacks");
        for (number, attack) in (1..).zip(ATTACKS) {
            let machine = format!("attacked-{number}");
            let stage = Stage { world: &world, verifier: &verifier, machine: &machine, play: Play::Tampered };
            let answer = (attack.run)(stage)?;
            story.attack(attack, &answer, is_caught(attack, &answer))?;
        }
    }
    story.end()
}

fn tell_the_good_machine(story: &mut Story, world: &World, verifier: &verifier::LocalVerifier) -> Result<()> {
    story.chapter("A machine boots");
    story.step(
        "The chip",
        &format!("a simulated {} secure processor; its root certificate says SIMULATED", world.product.name()),
    )?;
    story.step(
        "The launch",
        &format!("this executable plays VMPL 0: {} bytes, page by page, its state last", world.executable.len()),
    )?;
    let vm = world.launch()?;
    story.step("The policy's measurement", &format!("{}… predicted from the file", &hex(&world.measurement)[..24]))?;
    story.step(
        "The e-vTPM",
        "new seeds; endorsement keys P-256 and P-384; the chip's reports locked in its NV memory",
    )?;
    let (vm, played) = world.play(vm, &world.boot)?;
    story.step(
        "The boot",
        &format!(
            "a Debian machine's recorded boot, through the SVSM vTPM call: {} events, {} files measured by IMA",
            played.events, played.files
        ),
    )?;
    let answer = world.attest(verifier, "good-machine", vm, &world.boot)?;
    story.verdict(&answer)?;
    story.told(Told::Good { trusted: answer.is_trusted(), reasons: answer.reasons() });
    Ok(())
}

#[cfg(test)]
mod continuous_tests;
#[cfg(test)]
mod identity_tests;
#[cfg(test)]
mod kbs_tests;
#[cfg(test)]
mod key_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod tests;
