// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The `evtpm` command line.
#![forbid(unsafe_code)]

mod ak_challenge;
mod bench;
mod bundle;
mod collateral;
mod csv;
mod demo;
mod ek_check;
mod evidence;
mod explanation;
mod file;
mod keys;
mod launch;
mod manual;
mod measure;
mod operator;
mod output;
mod policy;
mod result;
mod show;
mod software_tpm;
mod sp;
mod tpm;
mod verify;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An ephemeral virtual TPM for confidential VMs, and the attestation that makes it worth trusting.
///
/// Exit codes: 0 done, and what was asked about is trusted; 1 the evidence was judged and is not trusted;
/// 2 the command line is wrong; 3 the work could not be done; 4 verified, but no policy was given to judge by;
/// 5 the policy was only tried out.
#[derive(Debug, Parser)]
#[command(name = "evtpm", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve TPMs to QEMU, tpm2-tools and everything that speaks to swtpm or to the TCG simulator.
    #[command(subcommand)]
    Tpm(tpm::TpmCommand),
    /// The simulated secure processor.
    #[command(subcommand)]
    Sp(sp::SpCommand),
    /// Predict launch measurements from files, and check what SEV attests before a guest starts.
    Measure(Box<measure::Measure>),
    /// Play the whole story in seconds: launch, boot, attestation, verdict, and every attack on it.
    Demo(demo::Demo),
    /// Attest this machine to a verifier, from inside the guest.
    Agent(Box<evtpm_agent::program::AgentArgs>),
    /// Run a verifier.
    Verifier(Box<evtpm_verifierd::program::VerifierArgs>),
    /// Machines that a running verifier knows: add, list, show, watch, remove.
    Machine(operator::MachineCommand),
    /// The key broker of a running verifier: keys, whom they are for, and who has them.
    Key(operator::KeyCommand),
    /// Tokens for administrators of a running verifier.
    Token(operator::TokenCommand),
    /// A running verifier's audit log, and its chain.
    Audit(operator::AuditCommand),
    /// Verify evidence in files or in a bundle, offline: an SEV-SNP report, and what a TPM quoted and logged.
    Verify(Box<verify::Verify>),
    /// Pack all the evidence of a machine into one file, and look into such files.
    #[command(subcommand)]
    Bundle(bundle::BundleCommand),
    /// Make a challenge for a TPM by its endorsement key, which its attestation key has to answer.
    AkChallenge(ak_challenge::AkChallenge),
    /// Check an endorsement key by its report, as the `ek_check_script` of a stock Keylime tenant.
    EkCheck(ek_check::EkCheck),
    /// Check a folder of evidence against an index of what each item has to come to.
    #[command(subcommand)]
    Evidence(evidence::EvidenceCommand),
    /// Learn and check policies: documents that say what a machine has to be.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Look at attestation results (EAR), and check them.
    #[command(subcommand)]
    Result(result::ResultCommand),
    /// Look at SEV-SNP attestation reports.
    #[command(subcommand)]
    Report(show::ReportCommand),
    /// Look at what TPMs attest (quotes, certified keys, NV contents, audits, the time), and check it.
    #[command(subcommand)]
    Quote(show::QuoteCommand),
    /// Look at boot logs: TCG event logs, CCEL, canonical event logs.
    #[command(subcommand)]
    Log(show::LogCommand),
    /// Look at IMA lists.
    #[command(subcommand)]
    Ima(show::ImaCommand),
    /// Measure how long a TPM takes, and how long verification takes.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    #[command(hide = true)]
    Manual(manual::Manual),
}

/// What a command came to, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Done; what was asked about is trusted, where that was the question.
    Good,
    /// Done, and what was asked about is not trusted.
    NotTrusted,
    /// Done, and the policy was only tried out.
    Audited,
    /// Done, and nobody asked whether what was found is trusted.
    NotAppraised,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Tpm(command) => tpm::run(command),
        Command::Sp(command) => sp::run(&command),
        Command::Measure(command) => measure::run(&command),
        Command::Demo(args) => demo::run(&args),
        Command::Agent(args) => match evtpm_agent::program::run(&args) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Verifier(args) => evtpm_verifierd::program::run(&args).map(|()| Outcome::Good),
        Command::Machine(command) => operator::machine(&command),
        Command::Key(command) => operator::key(&command),
        Command::Token(command) => operator::token(&command),
        Command::Audit(command) => operator::audit(&command),
        Command::Verify(command) => verify::run(&command),
        Command::Bundle(command) => bundle::run(&command),
        Command::AkChallenge(command) => ak_challenge::run(&command),
        Command::EkCheck(command) => ek_check::run(&command),
        Command::Evidence(command) => evidence::run(&command),
        Command::Policy(command) => policy::run(&command),
        Command::Result(command) => result::run(&command),
        Command::Report(command) => show::report(&command),
        Command::Quote(command) => show::quote(&command),
        Command::Log(command) => show::log(&command),
        Command::Ima(command) => show::ima(&command),
        Command::Bench(command) => bench::run(&command),
        Command::Manual(manual) => manual::run(&manual),
    };
    match outcome {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::NotTrusted) => ExitCode::from(1),
        Ok(Outcome::NotAppraised) => ExitCode::from(4),
        Ok(Outcome::Audited) => ExitCode::from(5),
        // Whoever reads our output has seen enough: `evtpm report show … | head` is no failure.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // What is wrong with the command line beyond its grammar ends as the grammar's own errors do.
            if let Some(usage) = error.downcast_ref::<clap::Error>() {
                usage.exit();
            }
            eprintln!("evtpm: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
