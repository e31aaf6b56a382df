// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm token`: tokens for administrators and their programs.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};
use evtpm_api::{NewToken, TokenRequest, TokenSummary};
use hyper::Method;

use super::{Asked, ago, print};
use crate::Outcome;

/// Make and forget tokens for administrators of a verifier.
#[derive(Debug, Args)]
pub(crate) struct TokenCommand {
    #[command(flatten)]
    asked: Asked,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token. It is shown this once.
    Add {
        /// The name that the audit log will have.
        name: String,
        /// What it may do: read, operate, policy, keys.
        #[arg(long, value_name = "ROLE", value_delimiter = ',', default_value = "read")]
        roles: Vec<String>,
    },
    /// List the tokens, without the tokens.
    List,
    /// Forget a token: it opens nothing any more.
    Remove {
        /// Its name.
        name: String,
    },
}

/// Runs the command.
pub(crate) fn run(command: &TokenCommand) -> Result<Outcome> {
    let operator = command.asked.address.operator()?;
    match &command.command {
        Command::Add { name, roles } => {
            let request = serde_json::to_string(&TokenRequest { name: name.clone(), roles: roles.clone() })?;
            let made: NewToken = operator.ask(Method::POST, "/tokens", Some(request))?;
            let text = if command.asked.json { serde_json::to_string_pretty(&made)? } else { made.token };
            writeln!(std::io::stdout(), "{text}")?;
        }
        Command::List => {
            let tokens: Vec<TokenSummary> = operator.ask(Method::GET, "/tokens", None)?;
            print(&tokens, |token, _| line(token), command.asked.json)?;
        }
        Command::Remove { name } => operator.ask(Method::DELETE, &format!("/tokens/{name}"), None)?,
    }
    Ok(Outcome::Good)
}

fn line(token: &TokenSummary) -> String {
    let made = ago(Some(token.created_at));
    format!("{:<24} {:<28} made {made}", token.name, token.roles.join(","))
}
