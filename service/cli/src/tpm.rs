// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm tpm serve`: TPMs for QEMU, tpm2-tools and the rest, each on a front of its own.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use evtpm_engine::Profile;
use evtpm_sp_sim::{Platform, Product};
use evtpm_sp_simd::{Client, Firmware};
use evtpm_tpmd::device::Device;
use evtpm_tpmd::devices::engine::EngineDevice;
use evtpm_tpmd::devices::svsm::SvsmDevice;
use evtpm_tpmd::endpoint::{Endpoint, Listener};
use evtpm_tpmd::fronts::{mssim, swtpm};
use evtpm_tpmd::machine::{MAX_MESSAGE, Machine, PC_MESSAGE, Shared};

use crate::Outcome;
use crate::launch::{self, Image};

#[derive(Debug, Subcommand)]
pub(crate) enum TpmCommand {
    /// Serve one or many TPMs until their clients end them.
    ///
    /// Each --swtpm and each --mssim is a TPM of its own. Nothing is ever written to storage: what a TPM keeps, it keeps
    /// for as long as this process lives; behind --svsm, for one boot of its guest.
    Serve(Serve),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Serve a TPM to swtpm's clients (QEMU's `-tpmdev emulator`): the control channel, unix:PATH or tcp:ADDRESS:PORT, and after a comma the data channel where the client does not pass one.
    #[arg(long, value_name = "CONTROL[,DATA]")]
    swtpm: Vec<String>,
    /// Serve a TPM to the TCG simulator's clients on this port and the next (`tpm2 -T mssim:port=PORT`).
    #[arg(long, value_name = "PORT")]
    mssim: Vec<u16>,
    /// Which algorithms, limits and names the TPMs have.
    #[arg(long, value_enum, default_value_t = ProfileName::PcClient)]
    profile: ProfileName,
    /// Power on at once and leave TPM2_Startup to the client, instead of waiting for the host's CMD_INIT.
    #[arg(long)]
    power_on: bool,
    /// Put each TPM into an SVSM: manufactured anew at each guest reset, its endorsement keys vouched for by the secure processor.
    #[arg(long)]
    svsm: bool,
    /// The secure processor: `sim` for a simulated one in this process, or unix:PATH of an `evtpm sp serve`.
    #[arg(long, value_name = "sim|unix:PATH", default_value = "sim", requires = "svsm")]
    sp: String,
    /// The processor line that is simulated.
    #[arg(long, value_enum, default_value_t = ProductName::Milan, requires = "svsm")]
    product: ProductName,
    /// The guest's firmware, launched and measured with this executable, which plays VMPL 0.
    #[arg(long, value_name = "FILE", requires = "svsm")]
    firmware: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProfileName {
    /// Everything that suites and distributions expect.
    PcClient,
    /// Small, for an SVSM: SHA-256 and SHA-384 banks.
    Svsm,
    /// PcClient with version 185's ML-KEM, ML-DSA, Ed25519 and X25519; ML-DSA-87 on --mssim alone, whose buffers hold it.
    Pqc,
}

/// The processor lines that can be simulated.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ProductName {
    /// EPYC 7003.
    Milan,
    /// EPYC 9004 and 8004.
    Genoa,
    /// EPYC 9005.
    Turin,
}

impl From<ProductName> for Product {
    fn from(name: ProductName) -> Self {
        match name {
            ProductName::Milan => Product::Milan,
            ProductName::Genoa => Product::Genoa,
            ProductName::Turin => Product::Turin,
        }
    }
}

pub(crate) fn run(command: TpmCommand) -> Result<Outcome> {
    let TpmCommand::Serve(serve) = command;
    serve.run()
}

impl Serve {
    fn run(&self) -> Result<Outcome> {
        anyhow::ensure!(
            !self.swtpm.is_empty() || !self.mssim.is_empty(),
            "nothing to serve on: give --swtpm unix:PATH or --mssim PORT (see --help)"
        );
        let mut threads = Vec::new();
        for channels in &self.swtpm {
            let (control, data) = channels.split_once(',').map_or((channels.as_str(), None), |(c, d)| (c, Some(d)));
            let config = swtpm::Config {
                control: Some(listen(control)?),
                data: data.map(listen).transpose()?,
                power_on: self.power_on,
                allow_set_locality: true,
                ..swtpm::Config::default()
            };
            let machine = self.machine(PC_MESSAGE)?;
            println!("swtpm on {channels}");
            threads.push(std::thread::spawn(move || swtpm::serve(&machine, config)));
        }
        for port in &self.mssim {
            let platform_port = port.checked_add(1).context("--mssim: there is no port after 65535")?;
            let commands = listen(&port.to_string())?;
            let platform = listen(&platform_port.to_string())?;
            // Behind an SVSM the way is a page, whatever the front.
            let machine = self.machine(if self.svsm { PC_MESSAGE } else { MAX_MESSAGE as usize })?;
            if self.power_on {
                machine.lock().power_on()?;
            }
            println!("mssim on tcp:127.0.0.1:{port} and {platform_port}");
            threads.push(std::thread::spawn(move || mssim::serve(&machine, commands, platform)));
        }
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a TPM's thread ended unexpectedly"))??;
        }
        Ok(Outcome::Good)
    }

    /// Makes a TPM behind a front that carries messages of so many bytes.
    fn machine(&self, transport: usize) -> Result<Shared> {
        let profile = match self.profile {
            ProfileName::PcClient => Profile::pc_client(),
            ProfileName::Svsm => Profile::svsm(),
            ProfileName::Pqc => Profile::pqc().within(transport),
        };
        let device: Box<dyn Device> = match self.sp.strip_prefix("unix:") {
            _ if !self.svsm => Box::new(EngineDevice::new(profile)?),
            Some(path) => self.launch(profile, Client::connect(path)?)?,
            None if self.sp == "sim" => {
                self.launch(profile, launch::host(Platform::new(self.product.into(), crate::sp::CHIP_SEED))?)?
            }
            None => anyhow::bail!("--sp: `{}` is neither `sim` nor unix:PATH", self.sp),
        };
        Ok(Shared::new(Machine::new(device)))
    }

    /// Launches this executable as VMPL 0 and makes the TPM in it.
    fn launch(&self, profile: Profile, firmware: impl Firmware + Send + 'static) -> Result<Box<dyn Device>> {
        let executable = crate::sp::this_executable()?;
        let guest_firmware = self
            .firmware
            .as_ref()
            .map(|path| std::fs::read(path).with_context(|| format!("reading {}", path.display())))
            .transpose()?;
        let image = Image { firmware: guest_firmware.as_deref(), ..Image::new(&executable) };
        let (channel, processor) = launch::launch(firmware, &image)?;
        Ok(Box::new(SvsmDevice::new(profile, processor, channel)?))
    }
}

fn listen(endpoint: &str) -> Result<Listener> {
    Listener::bind(&endpoint.parse::<Endpoint>().map_err(anyhow::Error::msg)?)
}
