// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Disk keys over the boots of an ephemeral TPM, with a broker that believes and wraps as ours has to.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a fixture that cannot be built fails the test that wants it")]

mod broker;

use std::path::{Path, PathBuf};
use std::process::Command;

use evtpm_agent::attester::Attester;
use evtpm_agent::broker::{Parent, obtain};
use evtpm_agent::disk::SealedKey;
use evtpm_agent::disk::luks::Volume;
use evtpm_agent::secrets::SecretFile;
use evtpm_client::{Client, Object};
use evtpm_crypto::RustCrypto;
use evtpm_engine::{Profile, Tpm};
use evtpm_protocol::intermediate::IntermediateKey;
use evtpm_protocol::templates::{EkTemplate, storage_root_key, storage_root_key_rsa};
use evtpm_sp_sim::Product;
use evtpm_testing_support::{Direct, Driver, Machine, Noise, TestPlatform, boot_on, chip, client};
use evtpm_tpm_wire::{TpmSu, TpmiRhHierarchy};

use self::broker::Broker;

type Guest<'m> = Attester<Driver<'m>, Noise>;

/// A boot with seeds of its own.
fn boot(seed: u64) -> Machine {
    boot_on(chip(Product::Milan), TestPlatform::new(Noise::Good(seed)))
}

fn guest(machine: &mut Machine) -> Guest<'_> {
    let mut tpm = client(machine);
    tpm.startup(TpmSu::Clear).unwrap();
    Attester::new(tpm.into_transport(), Noise::Good(5)).unwrap()
}

/// Registers and has the broker's key released.
async fn release(broker: &Broker, guest: &mut Guest<'_>) -> anyhow::Result<Object> {
    release_below(broker, guest, Parent::StorageRootKey).await
}

async fn release_below(broker: &Broker, guest: &mut Guest<'_>, parent: Parent) -> anyhow::Result<Object> {
    let mut connection = broker.connect().await;
    let registered = guest.register(&mut connection, "vm-7").await.unwrap();
    obtain(guest.keys(), &mut connection, &registered, "disk", parent).await
}

#[tokio::test]
async fn a_disk_key_is_opened_at_the_next_boot_by_the_same_sealed_bytes() {
    let broker = Broker::start().await;
    let mut first = boot(1);
    let mut first = guest(&mut first);
    let parent = release(&broker, &mut first).await.unwrap();
    let (sealed, disk_key) = SealedKey::make(first.keys(), &parent, "disk").unwrap();
    let kept = serde_json::to_string(&sealed).unwrap();

    let mut second = boot(2);
    let mut second = guest(&mut second);
    let parent = release(&broker, &mut second).await.unwrap();
    let sealed: SealedKey = serde_json::from_str(&kept).unwrap();
    assert_eq!(sealed.open(second.keys(), &parent).unwrap(), disk_key);
}

#[tokio::test]
async fn a_disk_key_is_opened_whichever_key_of_a_boot_the_broker_s_is_wrapped_for() {
    let broker = Broker::start().await;
    let mut first = boot(1);
    let mut first = guest(&mut first);
    let parent = release_below(&broker, &mut first, Parent::EndorsementKey).await.unwrap();
    let (sealed, disk_key) = SealedKey::make(first.keys(), &parent, "disk").unwrap();
    for (seed, below) in [(2, Parent::StorageRootKey), (3, Parent::EndorsementKey)] {
        let mut next = boot(seed);
        let mut next = guest(&mut next);
        let parent = release_below(&broker, &mut next, below).await.unwrap();
        assert_eq!(sealed.open(next.keys(), &parent).unwrap(), disk_key, "{below:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_wrapped_for_one_boot_is_of_no_use_in_another() {
    let broker = Broker::start().await;
    let mut first = boot(1);
    release(&broker, &mut guest(&mut first)).await.unwrap();
    broker.replay_last_release();
    let mut second = boot(2);
    let error = release(&broker, &mut guest(&mut second)).await.unwrap_err();
    assert!(format!("{error:#}").contains("wrapped for another TPM"), "{error:#}");
}

#[tokio::test]
async fn what_another_key_sealed_is_not_opened() {
    let (broker, another) = (Broker::start().await, Broker::start().await);
    let mut machine = boot(1);
    let mut guest = guest(&mut machine);
    let parent = release(&broker, &mut guest).await.unwrap();
    let (sealed, _) = SealedKey::make(guest.keys(), &parent, "disk").unwrap();
    guest.tpm().flush(parent.handle).unwrap();
    let parent = release(&another, &mut guest).await.unwrap();
    let error = sealed.open(guest.keys(), &parent).unwrap_err();
    assert!(format!("{error:#}").contains("below another key"), "{error:#}");
}

#[test]
fn root_and_endorsement_keys_of_both_kinds_import_keys_of_both_kinds() {
    let elliptic = IntermediateKey::generate::<RustCrypto>(&mut Noise::Good(1)).unwrap();
    let rsa = IntermediateKey::generate_rsa(&mut Noise::Good(1)).unwrap();
    let tpm = Tpm::manufacture(TestPlatform::new(Noise::Good(2)), Profile::pc_client()).unwrap();
    let mut tpm = Client::new(Direct(tpm), Noise::Good(3));
    tpm.startup(TpmSu::Clear).unwrap();
    let roots = [storage_root_key(), storage_root_key_rsa()].map(|template| (TpmiRhHierarchy::Owner, template));
    // The low range is used by its policy, the high one by its empty authValue.
    let endorsed = [EkTemplate::L1, EkTemplate::L2, EkTemplate::H2, EkTemplate::H3];
    let endorsed = endorsed.map(|template| (TpmiRhHierarchy::Endorsement, template.public()));
    for (hierarchy, template) in roots.into_iter().chain(endorsed) {
        let root = tpm.create_primary(hierarchy, &[], &template).unwrap();
        for key in [&elliptic, &rsa] {
            let duplicate = key.duplicate_for::<RustCrypto>(&root.public, &mut Noise::Good(4)).unwrap();
            let [wrapped, secret] = [duplicate.duplicate.as_bytes(), duplicate.secret.as_bytes()];
            let loaded = if hierarchy == TpmiRhHierarchy::Endorsement {
                tpm.import_below_endorsement_key(&root, &[], key.public(), wrapped, secret).unwrap()
            } else {
                let private = tpm.import(&root, key.public(), wrapped, secret).unwrap();
                tpm.load(&root, &[], &private, key.public()).unwrap()
            };
            assert_eq!(&loaded.public, key.public());
            tpm.flush(loaded.handle).unwrap();
        }
        tpm.flush(root.handle).unwrap();
    }
}

/// An image of a LUKS2 volume, and the file of a passphrase that opens it.
struct Image(PathBuf);

impl Image {
    fn new(name: &str) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("evtpm-luks-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("passphrase"), "a passphrase").unwrap();
        std::fs::File::create(folder.join("image")).unwrap().set_len(32 << 20).unwrap();
        let mut format = Command::new("cryptsetup");
        format.args(["luksFormat", "--batch-mode", "--type", "luks2"]);
        format.args(["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "passphrase", "image"]);
        let formatted = format.current_dir(&folder).output();
        formatted.is_ok_and(|output| output.status.success()).then_some(Image(folder))
    }

    fn passphrase(&self) -> PathBuf {
        self.0.join("passphrase")
    }

    fn volume(&self) -> Volume {
        Volume { device: self.0.join("image"), cryptsetup: "cryptsetup".into() }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[tokio::test]
async fn a_luks2_volume_is_opened_by_what_its_token_holds() {
    let Some(image) = Image::new("token") else {
        println!("skipped: cryptsetup is not installed");
        return;
    };
    let volume = image.volume();
    assert_eq!(volume.tokens().unwrap(), []);
    let broker = Broker::start().await;
    let mut machine = boot(1);
    let mut first = guest(&mut machine);
    let parent = release(&broker, &mut first).await.unwrap();
    let (sealed, disk_key) = SealedKey::make(first.keys(), &parent, "disk").unwrap();
    let sealed = volume.add(sealed, &disk_key, &image.passphrase()).unwrap();
    assert_eq!(sealed.keyslots, ["1"]);

    let mut machine = boot(2);
    let mut second = guest(&mut machine);
    let parent = release(&broker, &mut second).await.unwrap();
    let tokens = volume.tokens().unwrap();
    assert_eq!(tokens, [sealed]);
    volume.open(&tokens[0].open(second.keys(), &parent).unwrap(), None).unwrap();
    let error = volume.open(&[0; 64], None).unwrap_err();
    assert!(error.to_string().contains("cryptsetup"), "{error}");
}

#[tokio::test]
async fn a_luks2_volume_is_opened_by_what_a_file_holds_and_has_no_token_then() {
    let Some(image) = Image::new("file") else {
        println!("skipped: cryptsetup is not installed");
        return;
    };
    let (volume, file) = (image.volume(), image.0.join("root.sealed"));
    let broker = Broker::start().await;
    let mut machine = boot(1);
    let mut first = guest(&mut machine);
    let parent = release(&broker, &mut first).await.unwrap();
    let (sealed, disk_key) = SealedKey::make(first.keys(), &parent, "disk").unwrap();
    sealed.write(&file).unwrap();
    assert_eq!(volume.add_key(&disk_key, &image.passphrase()).unwrap(), ["1"]);
    assert_eq!(volume.tokens().unwrap(), []);

    let mut machine = boot(2);
    let mut second = guest(&mut machine);
    let parent = release(&broker, &mut second).await.unwrap();
    let disk_key = SealedKey::read(&file).unwrap().open(second.keys(), &parent).unwrap();
    volume.open(&disk_key, None).unwrap();
}

#[test]
fn a_file_that_is_no_volume_is_named() {
    let device = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let error = Volume { device, cryptsetup: "cryptsetup".into() }.tokens().unwrap_err();
    assert!(format!("{error:#}").contains("cryptsetup"), "{error:#}");
}

#[tokio::test]
async fn a_secret_is_opened_at_the_next_boot_under_its_name_alone() {
    let broker = Broker::start().await;
    let mut machine = boot(1);
    let mut first = guest(&mut machine);
    let parent = release(&broker, &mut first).await.unwrap();
    let secret = vec![7; 4096];
    let made = SecretFile::make(first.keys(), &parent, "disk", "tls/server.key", &secret).unwrap();
    let kept = serde_json::to_string(&made).unwrap();

    let mut machine = boot(2);
    let mut second = guest(&mut machine);
    let parent = release(&broker, &mut second).await.unwrap();
    let read: SecretFile = serde_json::from_str(&kept).unwrap();
    assert_eq!(*read.open(second.keys(), &parent, "tls/server.key").unwrap(), secret);
    assert!(read.open(second.keys(), &parent, "tls/client.key").is_err());
    let mut changed = read;
    changed.ciphertext.0[100] ^= 1;
    assert!(changed.open(second.keys(), &parent, "tls/server.key").is_err());
}
