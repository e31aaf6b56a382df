// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command lines of `evtpm measure`, as a person types them.

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    measure: Measure,
}

fn outcome(arguments: &[&str]) -> Result<Outcome> {
    let line = Line::try_parse_from([&["measure"], arguments].concat())?;
    run(&line.measure)
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("evtpm-measure-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_missing_file_is_named() {
    let error = outcome(&["--executable", "/nowhere/svsm"]).unwrap_err();
    assert!(format!("{error:#}").contains("/nowhere/svsm"), "{error:#}");
}

#[test]
fn a_launch_by_qemu_needs_the_model_of_the_processor() {
    let error = outcome(&["ovmf", "--mode", "sev-es", "/dev/null"]).unwrap_err();
    assert!(error.to_string().contains("--cpu"), "{error:#}");
    assert!(outcome(&["ovmf", "--cpu", "Nehalem", "/dev/null"]).unwrap_err().to_string().contains("EPYC-Milan"));
}

#[test]
fn what_is_no_igvm_file_is_named_as_such() {
    let error = outcome(&["igvm", "/dev/null"]).unwrap_err();
    assert!(format!("{error:#}").contains("IGVM"), "{error:#}");
}

#[test]
fn a_secret_reaches_the_guest_that_was_attested_and_no_other() {
    let folder = folder("secret");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    for (name, bytes) in [("tik", &[1; 16][..]), ("tek", &[2; 16]), ("secret", b"passphrase")] {
        std::fs::write(path(name), bytes).unwrap();
    }
    let measurement = |first: &str| format!("{first}{}", "A".repeat(63));
    let channel = |verb: &str, first: &str| {
        let (tik, tek, header, packet) = (path("tik"), path("tek"), path("header"), path("packet"));
        let measurement = measurement(first);
        ["launch-secret", verb, "--tik", &tik, "--tek", &tek, "--header", &header, "--packet", &packet]
            .into_iter()
            .chain(["--measurement", &measurement])
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let run = |arguments: Vec<String>| outcome(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let entry = format!("736869e5-84f0-4973-92ec-06879ce3da0b:{}", path("secret"));
    let sealed = run([channel("seal", "A"), vec!["--entry".into(), entry]].concat());
    assert_eq!(sealed.unwrap(), Outcome::Good);
    assert_eq!(std::fs::read(path("packet")).unwrap().len(), 64);
    assert_eq!(run(channel("open", "A")).unwrap(), Outcome::Good);
    assert_eq!(run(channel("open", "B")).unwrap(), Outcome::NotTrusted);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_measurement_of_another_launch_is_not_trusted() {
    let folder = folder("measure");
    let tik = folder.join("tik");
    std::fs::write(&tik, [1; 16]).unwrap();
    let tik = tik.to_str().unwrap().to_owned();
    let digest = "00".repeat(32);
    let common =
        ["launch-measure", "--digest", &digest, "--tik", &tik, "--policy", "0x5", "--api", "1.55", "--build", "24"];
    let nonce = "02".repeat(16);
    assert_eq!(outcome(&[&common[..], &["--nonce", &nonce]].concat()).unwrap(), Outcome::Good);
    let wrong = "A".repeat(64);
    assert_eq!(outcome(&[&common[..], &["--measurement", &wrong]].concat()).unwrap(), Outcome::NotTrusted);
    assert!(outcome(&common).is_err());
    std::fs::remove_dir_all(folder).unwrap();
}
