// SPDX-License-Identifier: Apache-2.0 OR MIT
//! libtpms, loaded at run time: the one place in testing where `unsafe` is allowed, because a C library can be called
//! in no other way.
//!
//! The library keeps its whole TPM in global variables. [`Libtpms`] can therefore be made once at a time in a process,
//! is neither `Send` nor `Sync`, and what the callbacks need stands in one `HOST` behind a lock.
#![expect(unsafe_code, reason = "calls of a C library; each block says why it may be called so")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_uchar, c_void};
use std::marker::PhantomData;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libloading::{Library, Symbol};

use crate::dice::Dice;

/// The name that Debian's `libtpms0` installs.
const LIBRARY: &str = "libtpms.so.0";
/// The library of OpenSSL that it is linked with, and draws from.
const OPENSSL: &str = "libcrypto.so.3";
/// `TPMLIB_TPM_VERSION_2`.
const VERSION_2: c_int = 1;
/// `TPM_RETRY` of TPM 1.2's results: what a loading callback says when nothing was ever stored.
const NOTHING_STORED: u32 = 0x800;
/// Any other result than zero is a failure.
const FAILED: u32 = 9;
/// No command is longer.
const BUFFER_SIZE: u32 = 4096;

type Init = unsafe extern "C" fn() -> u32;
type Load = unsafe extern "C" fn(*mut *mut c_uchar, *mut u32, u32, *const c_char) -> u32;
type Store = unsafe extern "C" fn(*const c_uchar, u32, u32, *const c_char) -> u32;
type Delete = unsafe extern "C" fn(u32, *const c_char, c_uchar) -> u32;
type Locality = unsafe extern "C" fn(*mut u32, u32) -> u32;
type PhysicalPresence = unsafe extern "C" fn(*mut c_uchar, u32) -> u32;
type Malloc = unsafe extern "C" fn(*mut *mut c_uchar, u32) -> u32;
type Process = unsafe extern "C" fn(*mut *mut c_uchar, *mut u32, *mut u32, *mut c_uchar, u32) -> u32;

/// `struct libtpms_callbacks`.
#[repr(C)]
struct Callbacks {
    size: c_int,
    nvram_init: Init,
    nvram_load: Load,
    nvram_store: Store,
    nvram_delete: Delete,
    io_init: Init,
    io_locality: Locality,
    io_physical_presence: PhysicalPresence,
}

/// `RAND_METHOD` of OpenSSL's rand.h: what is null is left out.
#[repr(C)]
struct RandMethod {
    seed: Option<unsafe extern "C" fn(*const c_void, c_int) -> c_int>,
    bytes: Option<unsafe extern "C" fn(*mut c_uchar, c_int) -> c_int>,
    cleanup: Option<unsafe extern "C" fn()>,
    add: Option<unsafe extern "C" fn(*const c_void, c_int, f64) -> c_int>,
    pseudorand: Option<unsafe extern "C" fn(*mut c_uchar, c_int) -> c_int>,
    status: Option<unsafe extern "C" fn() -> c_int>,
}

/// Draws from the dice of [`Host`], so that a story is the same each time it is told.
static REPEATABLE: RandMethod = RandMethod {
    seed: None,
    bytes: Some(draw),
    cleanup: None,
    add: None,
    pseudorand: Some(draw),
    status: Some(is_seeded),
};

/// What the callbacks read and write.
struct Host {
    dice: Option<Dice>,
    stored: BTreeMap<Vec<u8>, Vec<u8>>,
    locality: u8,
    physical_presence: bool,
    malloc: Option<Malloc>,
}

static HOST: Mutex<Host> =
    Mutex::new(Host { dice: None, stored: BTreeMap::new(), locality: 0, physical_presence: false, malloc: None });
static IN_USE: AtomicBool = AtomicBool::new(false);

fn host() -> MutexGuard<'static, Host> {
    // A panic with the lock held leaves whole values behind.
    HOST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why there is no libtpms to talk to.
#[derive(Debug)]
pub enum Error {
    /// The library, or a function of it, is not on this machine.
    NotInstalled(libloading::Error),
    /// There is one already in this process.
    InUse,
    /// A function of it failed.
    Failed {
        /// The function.
        function: &'static str,
        /// Its result.
        result: u32,
    },
}

impl Error {
    /// Says why a program ends, and with which status: without libtpms it was skipped, and that is no failure.
    #[must_use]
    pub fn ends(&self) -> ExitCode {
        if let Self::NotInstalled(_) = self {
            println!("skipped, {self}");
            ExitCode::SUCCESS
        } else {
            eprintln!("error: {self}");
            ExitCode::FAILURE
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotInstalled(error) => write!(f, "libtpms is not installed ({error})"),
            Self::InUse => f.write_str("libtpms is one TPM, and in use"),
            Self::Failed { function, result } => write!(f, "{function} answered {result:#x}"),
        }
    }
}

impl std::error::Error for Error {}

/// The TPM of libtpms.
#[derive(Debug)]
pub struct Libtpms {
    library: Library,
    /// Loaded once it calls [`draw`].
    openssl: Option<Library>,
    /// Looked up once: the loader's search would be a part of what is measured.
    process: Process,
    response: *mut c_uchar,
    response_room: u32,
    running: bool,
    /// The callbacks of one thread would answer calls of another.
    _one_thread: PhantomData<*mut ()>,
}

impl Libtpms {
    /// Loads the library; no TPM runs yet.
    ///
    /// # Errors
    /// When it is not installed, or in use.
    pub fn load() -> Result<Self, Error> {
        if IN_USE.swap(true, Ordering::SeqCst) {
            return Err(Error::InUse);
        }
        // SAFETY: loading runs the library's initialisers; libtpms has none but those of libcrypto, which any program
        // that links OpenSSL runs before `main`.
        let library = unsafe { Library::new(LIBRARY) }.map_err(|error| {
            IN_USE.store(false, Ordering::SeqCst);
            Error::NotInstalled(error)
        })?;
        // SAFETY: the type is that of tpm_library.h; the pointer is called only while `library` is loaded, beside it.
        let process = unsafe { library.get::<Process>(c"TPMLIB_Process".to_bytes_with_nul()) }.map(|process| *process);
        let process = process.map_err(|error| {
            IN_USE.store(false, Ordering::SeqCst);
            Error::NotInstalled(error)
        })?;
        let tpm = Self {
            library,
            openssl: None,
            process,
            response: std::ptr::null_mut(),
            response_room: 0,
            running: false,
            _one_thread: PhantomData,
        };
        // SAFETY: the type is that of tpm_memory.h, and the pointer is used only while `library` is loaded: callbacks
        // run inside calls of it.
        host().malloc = Some(*unsafe { tpm.function::<Malloc>(c"TPM_Malloc") }?);
        // SAFETY: the type is that of tpm_library.h.
        let choose = unsafe { tpm.function::<unsafe extern "C" fn(c_int) -> u32>(c"TPMLIB_ChooseTPMVersion") }?;
        // SAFETY: it takes an enumerator by value and sets a global variable; no TPM runs.
        success("TPMLIB_ChooseTPMVersion", unsafe { choose(VERSION_2) })?;
        tpm.register()?;
        Ok(tpm)
    }

    /// Looks a function up.
    ///
    /// # Safety
    /// `F` must be the function pointer type that the headers give `name`.
    unsafe fn function<F>(&self, name: &CStr) -> Result<Symbol<'_, F>, Error> {
        // SAFETY: the caller vouches for the type; the symbol borrows the library, so that it cannot outlive it.
        unsafe { self.library.get(name.to_bytes_with_nul()) }.map_err(Error::NotInstalled)
    }

    fn register(&self) -> Result<(), Error> {
        let size = c_int::try_from(size_of::<Callbacks>()).unwrap_or(c_int::MAX);
        let mut callbacks = Callbacks {
            size,
            nvram_init: nothing_to_do,
            nvram_load: load,
            nvram_store: store,
            nvram_delete: delete,
            io_init: nothing_to_do,
            io_locality: locality,
            io_physical_presence: physical_presence,
        };
        // SAFETY: the type is that of tpm_library.h, whose structure `Callbacks` repeats field by field.
        let register =
            unsafe { self.function::<unsafe extern "C" fn(*mut Callbacks) -> u32>(c"TPMLIB_RegisterCallbacks") }?;
        // SAFETY: the library copies `size` bytes of the structure during the call and keeps no pointer to it.
        success("TPMLIB_RegisterCallbacks", unsafe { register(&raw mut callbacks) })
    }

    /// Lets all random numbers from now on follow from `seed`.
    ///
    /// # Errors
    /// When OpenSSL does not let us.
    pub fn repeat(&mut self, seed: u64) -> Result<(), Error> {
        host().dice = Some(Dice::new(seed, u64::MAX));
        if self.openssl.is_none() {
            self.openssl = Some(repeatable()?);
        }
        Ok(())
    }

    /// Makes a new TPM and powers it on; it awaits `TPM2_Startup`.
    ///
    /// # Errors
    /// When libtpms cannot.
    pub fn manufacture(&mut self) -> Result<(), Error> {
        self.power_off()?;
        host().stored.clear();
        self.power_on()
    }

    /// Does `_TPM_Init` with what is stored.
    ///
    /// # Errors
    /// When libtpms cannot.
    pub fn power_cycle(&mut self) -> Result<(), Error> {
        self.power_off()?;
        self.power_on()
    }

    fn power_on(&mut self) -> Result<(), Error> {
        // SAFETY: the type is that of tpm_library.h.
        let size =
            unsafe { self.function::<unsafe extern "C" fn(u32, *mut u32, *mut u32) -> u32>(c"TPMLIB_SetBufferSize") }?;
        // SAFETY: null pointers say that nobody asks for the limits; no TPM runs.
        unsafe { size(BUFFER_SIZE, std::ptr::null_mut(), std::ptr::null_mut()) };
        // SAFETY: the type is that of tpm_library.h.
        let init = unsafe { self.function::<Init>(c"TPMLIB_MainInit") }?;
        // SAFETY: version and callbacks were set by `load`, and no TPM runs.
        success("TPMLIB_MainInit", unsafe { init() })?;
        self.running = true;
        Ok(())
    }

    fn power_off(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.running) {
            // SAFETY: the type is that of tpm_library.h.
            let terminate = unsafe { self.function::<unsafe extern "C" fn()>(c"TPMLIB_Terminate") }?;
            // SAFETY: a TPM runs, and nobody holds a pointer into it: responses are copied.
            unsafe { terminate() };
        }
        Ok(())
    }

    /// Lets somebody hold the physical-presence line, or let it go.
    pub fn set_physical_presence(&mut self, asserted: bool) {
        host().physical_presence = asserted;
    }

    /// Executes a command and appends the response to `response`, which is cleared.
    ///
    /// # Errors
    /// When libtpms has no answer.
    pub fn execute(&mut self, locality: u8, command: &mut [u8], response: &mut Vec<u8>) -> Result<(), Error> {
        host().locality = locality;
        let command_size = u32::try_from(command.len()).unwrap_or(u32::MAX);
        let mut size = 0;
        // SAFETY: the first three pointers are to variables of ours; the response buffer is null or came from the last
        // call, with its size, as the function wants it. It reads, and may write, `command_size` bytes of the command.
        let result = unsafe {
            (self.process)(
                &raw mut self.response,
                &raw mut size,
                &raw mut self.response_room,
                command.as_mut_ptr(),
                command_size,
            )
        };
        success("TPMLIB_Process", result)?;
        response.clear();
        if !self.response.is_null() && size <= self.response_room {
            let size = usize::try_from(size).unwrap_or(0);
            // SAFETY: the library has written `size` bytes to the buffer, which has room for as many, and writes no more
            // before the next call.
            response.extend_from_slice(unsafe { std::slice::from_raw_parts(self.response, size) });
        }
        Ok(())
    }
}

impl Drop for Libtpms {
    fn drop(&mut self) {
        let _ = self.power_off();
        // SAFETY: the type is that of tpm_memory.h.
        if let Ok(free) = unsafe { self.function::<unsafe extern "C" fn(*mut c_uchar)>(c"TPM_Free") } {
            // SAFETY: null, or what `TPMLIB_Process` allocated with `TPM_Malloc`; nobody uses it any more.
            unsafe { free(self.response) };
        }
        host().malloc = None;
        IN_USE.store(false, Ordering::SeqCst);
    }
}

/// Lets OpenSSL draw from our dice.
fn repeatable() -> Result<Library, Error> {
    // SAFETY: libtpms is linked with it, so that its initialisers have run already.
    let openssl = unsafe { Library::new(OPENSSL) }.map_err(Error::NotInstalled)?;
    {
        type Set = unsafe extern "C" fn(*const RandMethod) -> c_int;
        // SAFETY: the type is that of rand.h, whose structure `RandMethod` repeats field by field.
        let set =
            unsafe { openssl.get::<Set>(c"RAND_set_rand_method".to_bytes_with_nul()) }.map_err(Error::NotInstalled)?;
        // SAFETY: the structure is static, and nobody else in this process uses OpenSSL.
        if unsafe { set(&raw const REPEATABLE) } != 1 {
            return Err(Error::Failed { function: "RAND_set_rand_method", result: 0 });
        }
    }
    Ok(openssl)
}

/// `bytes` of [`RandMethod`].
unsafe extern "C" fn draw(bytes: *mut c_uchar, size: c_int) -> c_int {
    let (Ok(size), Some(dice)) = (usize::try_from(size), &mut host().dice) else { return 0 };
    // SAFETY: the caller has room for `size` bytes, which nobody else uses during the call.
    unsafe { std::ptr::copy_nonoverlapping(dice.bytes(size).as_ptr(), bytes, size) };
    1
}

/// `status` of [`RandMethod`].
unsafe extern "C" fn is_seeded() -> c_int {
    1
}

fn success(function: &'static str, result: u32) -> Result<(), Error> {
    if result == 0 { Ok(()) } else { Err(Error::Failed { function, result }) }
}

extern "C" fn nothing_to_do() -> u32 {
    0
}

/// The name of a stored blob.
///
/// # Safety
/// `name` must point to a string that ends in a zero byte.
unsafe fn key(name: *const c_char) -> Vec<u8> {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(name) }.to_bytes().to_vec()
}

/// `tpm_nvram_loaddata`: the library frees what it is given.
unsafe extern "C" fn load(data: *mut *mut c_uchar, length: *mut u32, _: u32, name: *const c_char) -> u32 {
    let host = host();
    // SAFETY: libtpms passes one of its own names.
    let Some(stored) = host.stored.get(&unsafe { key(name) }) else { return NOTHING_STORED };
    let (Some(malloc), Ok(size)) = (host.malloc, u32::try_from(stored.len())) else { return FAILED };
    let mut room = std::ptr::null_mut();
    // SAFETY: `TPM_Malloc` wants a null pointer and stores there where `size` bytes are, or fails.
    if unsafe { malloc(&raw mut room, size) } != 0 || room.is_null() {
        return FAILED;
    }
    // SAFETY: `room` has as many bytes as `stored`, and is new, so that they do not overlap; `data` and `length` point to
    // variables of the caller.
    unsafe {
        std::ptr::copy_nonoverlapping(stored.as_ptr(), room, stored.len());
        *data = room;
        *length = size;
    }
    0
}

/// `tpm_nvram_storedata`.
unsafe extern "C" fn store(data: *const c_uchar, length: u32, _: u32, name: *const c_char) -> u32 {
    let Ok(length) = usize::try_from(length) else { return FAILED };
    // SAFETY: libtpms passes `length` bytes and one of its own names.
    let (data, name) = unsafe { (std::slice::from_raw_parts(data, length), key(name)) };
    host().stored.insert(name, data.to_vec());
    0
}

/// `tpm_nvram_deletename`.
unsafe extern "C" fn delete(_: u32, name: *const c_char, must_exist: c_uchar) -> u32 {
    // SAFETY: libtpms passes one of its own names.
    let was_there = host().stored.remove(&unsafe { key(name) }).is_some();
    if was_there || must_exist == 0 { 0 } else { FAILED }
}

/// `tpm_io_getlocality`.
unsafe extern "C" fn locality(locality: *mut u32, _: u32) -> u32 {
    // SAFETY: a variable of the caller.
    unsafe { *locality = u32::from(host().locality) };
    0
}

/// `tpm_io_getphysicalpresence`.
unsafe extern "C" fn physical_presence(asserted: *mut c_uchar, _: u32) -> u32 {
    // SAFETY: a variable of the caller.
    unsafe { *asserted = c_uchar::from(host().physical_presence) };
    0
}
