// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Python Keylime (registrar, verifier, tenant) against our agent, over our TPM, and its tenant against our verifier:
//! what passes, and what must not.

mod config;
mod evtpm;
mod ima;
mod python;
mod world;

use std::time::Duration;

use anyhow::{Context as _, ensure};

use self::python::Keylime;
use self::world::{Cast, Machine, Model, Services, World};
use crate::arguments::Arguments;
use crate::shell::Workspace;

/// How many good rounds count as an attested machine.
const ROUNDS: u64 = 2;

/// Plays the story, and says what each step came to.
pub(super) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    // For example `--only Push`: a part of the story's name.
    let only: String = arguments.value("--only")?.unwrap_or_default();
    arguments.finish()?;
    let chosen: Vec<(String, Cast, Story)> = STORIES
        .map(|(cast, story)| (name(cast), cast, story))
        .into_iter()
        .filter(|(name, ..)| name.contains(&only))
        .collect();
    ensure!(!chosen.is_empty(), "no story has such a name: {}", STORIES.map(|(cast, _)| name(cast)).join(", "));
    let folder = workspace.target().join("foreign").join("keylime");
    let keylime = match Keylime::install(&folder)? {
        Ok(keylime) => keylime,
        Err(reason) => {
            println!("skipped: {reason}");
            return Ok(());
        }
    };
    let run_folder = folder.join(format!("run-{}", std::process::id()));
    for (name, cast, story) in chosen {
        let folder = run_folder.join(name);
        let world = World::start(workspace, keylime.clone(), folder, cast)?;
        story(world).with_context(|| format!("what each program said is in {}", run_folder.display()))?;
    }
    Ok(std::fs::remove_dir_all(&run_folder)?)
}

/// Names a story by who plays in it.
fn name((machine, services, model): Cast) -> String {
    format!("{machine:?}-{services:?}-{model:?}")
}

type Story = fn(World) -> anyhow::Result<()>;

/// What is played on which machine, with whose services.
const STORIES: [(Cast, Story); 5] = [
    ((Machine::SoftwareTpm, Services::Keylime, Model::Pull), attestation),
    ((Machine::Evtpm, Services::Keylime, Model::Pull), endorsement),
    ((Machine::SoftwareTpm, Services::Ours, Model::Pull), our_verifier),
    ((Machine::SoftwareTpm, Services::Keylime, Model::Push), push),
    ((Machine::SoftwareTpm, Services::Ours, Model::Push), push),
];

/// Our agent pushes to a verifier, theirs or ours, that their tenant has watch it.
fn push(mut world: World) -> anyhow::Result<()> {
    let good = [("boot_aggregate", 1), ("/usr/bin/app", 2)];
    world.measure(&good)?;
    world.start_agent()?;
    world.wait_for("registration", |world| world.is_registered())?;
    world.add(&good, "")?;
    world.wait_for("attestation", |world| Ok(world.status()?.has_passed(ROUNDS)))?;
    println!("push to {}: registered, session opened, attested", world.verifier());

    world.stop_agent();
    world.start_agent()?;
    let before = world.status()?.attestation_count;
    world.wait_for("attestation after a restart", |world| Ok(world.status()?.has_passed(before + ROUNDS)))?;
    println!("push to {}: the agent was restarted, attestation goes on", world.verifier());

    world.stop_agent();
    world.measure(&[("/usr/bin/new", 3)])?;
    world.start_agent()?;
    world.wait_for("failure", |world| Ok(world.status()?.has_failed()))?;
    // Keylime's verifier names no event of an agent that pushes.
    let event = world.status()?.last_event_id.unwrap_or_else(|| "no event is named".to_owned());
    let names_events = world.services() == Services::Ours;
    ensure!(!names_events || event.ends_with("not_in_allowlist"), "failed for another reason: {event}");
    println!("push to {}: refused, an executable that the policy does not know ({event})", world.verifier());
    world.remove()
}

/// Their tenant has our verifier watch our agent.
fn our_verifier(mut world: World) -> anyhow::Result<()> {
    let good = [("boot_aggregate", 1), ("/usr/bin/app", 2)];
    world.measure(&good)?;
    world.start_agent()?;
    world.wait_for("registration", |world| world.is_registered())?;
    println!("our verifier: registered at our registrar, as their tenant sees it");

    world.add(&good, "a secret of the tenant")?;
    world.wait_for("attestation", |world| Ok(world.status()?.has_passed(ROUNDS)))?;
    world.wait_for("payload", |world| Ok(world.payload() == Some("a secret of the tenant".to_owned())))?;
    println!("our verifier: attested, payload delivered");

    world.stop_agent();
    world.measure(&[("/usr/bin/new", 3)])?;
    world.start_agent()?;
    world.wait_for("failure", |world| Ok(world.status()?.has_failed()))?;
    let event = world.status()?.last_event_id.unwrap_or_default();
    ensure!(event.ends_with("not_in_allowlist"), "our verifier failed the agent for another reason: {event}");
    println!("our verifier: refused, an executable that the policy does not know ({event})");
    world.remove()
}

/// An endorsement key that no vendor certified is accepted by the report on the launch, and by nothing else.
fn endorsement(mut world: World) -> anyhow::Result<()> {
    world.start_agent()?;
    world.wait_for("registration", |world| world.is_registered())?;
    println!("e-vTPM registered: the report is in the EK certificate");
    ensure!(world.add_if_accepted()?, "the tenant refused a launch that its policy names");
    world.wait_for("attestation", |world| Ok(world.status()?.has_passed(ROUNDS)))?;
    println!("e-vTPM accepted by ek_check_script, and attested");

    world.remove()?;
    world.expect_another_launch()?;
    ensure!(!world.add_if_accepted()?, "the tenant accepted a launch that its policy does not name");
    println!("e-vTPM refused by ek_check_script: another launch than the policy names");
    Ok(())
}

/// A machine is attested, restarted, changed and forged.
fn attestation(mut world: World) -> anyhow::Result<()> {
    let good = [("boot_aggregate", 1), ("/usr/bin/app", 2)];
    world.measure(&good)?;
    world.start_agent()?;
    world.wait_for("registration", |world| world.is_registered())?;
    println!("registered: EK and AK of P-256, without an EK certificate");

    world.add(&good, "a secret of the tenant")?;
    world.wait_for("attestation", |world| Ok(world.status()?.has_passed(ROUNDS)))?;
    println!("attested: the runtime policy holds, state Get Quote");
    world.wait_for("payload", |world| Ok(world.payload() == Some("a secret of the tenant".to_owned())))?;
    println!("payload delivered: U from the tenant, V from the verifier");

    world.stop_agent();
    world.start_agent()?;
    let before = world.status()?.attestation_count;
    world.wait_for("attestation after a restart", |world| Ok(world.status()?.has_passed(before + ROUNDS)))?;
    println!("the agent was restarted: attestation goes on");

    let known = [&good[..], &[("/usr/bin/new", 3)]].concat();
    world.stop_agent();
    world.measure(&[("/usr/bin/new", 3)])?;
    world.start_agent()?;
    world.wait_for("failure", |world| Ok(world.status()?.has_failed()))?;
    let event = world.status()?.last_event_id.unwrap_or_default();
    ensure!(event.ends_with("not_in_allowlist"), "the verifier failed the agent for another reason: {event}");
    println!("refused: an executable that the policy does not know ({event})");

    world.remove()?;
    world.add(&known, "a secret of the tenant")?;
    world.wait_for("attestation", |world| Ok(world.status()?.has_passed(ROUNDS)))?;
    println!("attested: the policy knows it now");
    world.remove()?;
    world.forge_last_entry()?;
    world.add(&known, "a secret of the tenant")?;
    world.wait_for("failure", |world| Ok(world.status()?.has_failed()))?;
    let event = world.status()?.last_event_id.unwrap_or_default();
    println!("refused: an IMA entry that was changed after it was measured ({event})");
    Ok(())
}

/// How long a step may take: the tenant alone needs a second for each question.
const PATIENCE: Duration = Duration::from_secs(60);
