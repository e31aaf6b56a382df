// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whole boots of real firmware, kernels and tools against another TPM: each recorded command and response is read and
//! marshals to the recorded bytes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Cc, Command, CommandHeader, CommandTag, Rc, Reader, Response, ResponseHeader, TpmsAuthCommand, TpmsAuthResponse,
    Unmarshal, Writer, for_each_command,
};

/// Reads the body of a command and its response, and returns what they marshal to, without the headers.
fn pass<'a, K: Command + Unmarshal<'a>>(
    command: &mut Reader<'a>,
    tag: CommandTag,
    response: Option<&[u8]>,
) -> Result<(Vec<u8>, Vec<u8>), Rc> {
    let (mut out, mut back) = (vec![0; 4096], vec![0; 4096]);
    let (mut writer, mut reply) = (Writer::new(&mut out), Writer::new(&mut back));
    let handles: K::Handles = command.read()?;
    writer.write(&handles).unwrap();
    let mut sessions = 0;
    if tag == CommandTag::Sessions {
        let size: u32 = command.read()?;
        let mut area = Reader::permissive(command.take(usize::try_from(size).unwrap())?);
        writer.write(&size).unwrap();
        while !area.is_empty() {
            writer.write(&area.read::<TpmsAuthCommand<'_>>()?).unwrap();
            sessions += 1;
        }
    }
    let parameters: K = command.read()?;
    command.finish()?;
    writer.write(&parameters).unwrap();

    if let Some(body) = response {
        let mut body = Reader::permissive(body);
        let handle = body.take(if K::SPEC.returns_handle { 4 } else { 0 })?;
        let size = if sessions == 0 { body.remaining().len() } else { usize::try_from(body.read::<u32>()?).unwrap() };
        let mut parameters = Reader::permissive(body.take(size)?);
        let response = K::Response::unmarshal(&mut Reader::permissive(handle), &mut parameters)?;
        parameters.finish()?;
        reply.bytes(handle).unwrap();
        if sessions > 0 {
            reply.write(&u32::try_from(size).unwrap()).unwrap();
        }
        response.marshal_parameters(&mut reply).unwrap();
        for _ in 0..sessions {
            reply.write(&body.read::<TpmsAuthResponse>()?).unwrap();
        }
        body.finish()?;
    }
    Ok((writer.as_written().to_vec(), reply.as_written().to_vec()))
}

macro_rules! passes {
    ($($command:ident)*) => {
        /// Passes the body of whichever command it is; `None` if it is not declared.
        fn pass_any<'a>(
            code: Cc,
            command: &mut Reader<'a>,
            tag: CommandTag,
            response: Option<&[u8]>,
        ) -> Option<Result<(Vec<u8>, Vec<u8>), Rc>> {
            match code {
                $(code if code == $command::SPEC.code => Some(pass::<$command>(command, tag, response)),)*
                _ => None,
            }
        }
    };
}

for_each_command!(passes);

fn evidence() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence");
    std::env::var_os("EVTPM_EVIDENCE").map_or_else(default, PathBuf::from)
}

fn trace(path: &Path) -> String {
    let output = Process::new("xz").args(["--decompress", "--stdout"]).arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Checks one exchange and counts it by its command.
fn check(command: &[u8], response: &[u8], counts: &mut BTreeMap<Cc, usize>) {
    let mut answer = Reader::permissive(response);
    let answered: ResponseHeader = answer.read().unwrap();
    let mut reader = Reader::permissive(command);
    let header = match reader.read::<CommandHeader>() {
        Ok(header) => header,
        // Firmware asks first whether the TPM is one of version 1.2, and this TPM refused with a code of its own.
        Err(rc) => return assert!(rc == Rc::BAD_TAG && !answered.response_code.is_success()),
    };
    let body = answered.response_code.is_success().then(|| answer.remaining());
    let result = pass_any(header.command_code, &mut reader, header.tag, body);
    let (name, tag) = (header.command_code, header.tag);
    match result.unwrap_or_else(|| panic!("{name} is not declared")) {
        Ok((out, back)) => {
            assert_eq!(out, command[CommandHeader::SIZE..], "{name} {tag:?}");
            assert_eq!(back, body.unwrap_or_default(), "response to {name}");
            *counts.entry(name).or_default() += 1;
        }
        Err(rc) => assert!(!answered.response_code.is_success(), "{name}: {rc}, but the TPM accepted {command:02x?}"),
    }
}

#[test]
fn each_recorded_command_and_response_survives() {
    let Ok(boots) = std::fs::read_dir(evidence().join("vm-boot")) else {
        eprintln!("skipped: no evidence folder (EVTPM_EVIDENCE)");
        return;
    };
    let mut counts = BTreeMap::new();
    let mut traces = 0;
    for boot in boots.map(|boot| boot.unwrap().path().join("tpm.trace.xz")).filter(|path| path.exists()) {
        traces += 1;
        for line in trace(&boot).lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            if let [_, "tpm", command, response, ..] = fields[..] {
                check(&bytes(command), &bytes(response), &mut counts);
            }
        }
    }
    let total: usize = counts.values().sum();
    eprintln!("{total} exchanges of {} commands in {traces} boots", counts.len());
    assert!(traces > 0 && total > 100 * traces, "{total} exchanges in {traces} traces");
    for code in [Cc::PCR_EXTEND, Cc::QUOTE, Cc::CREATE_PRIMARY, Cc::GET_CAPABILITY, Cc::PCR_READ] {
        assert!(counts.contains_key(&code), "no {code} was recorded");
    }
}
