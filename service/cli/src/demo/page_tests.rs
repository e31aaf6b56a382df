// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The verifier's page in a real browser, over machines that were really attested: `cargo xtask page`.

use std::path::PathBuf;

use evtpm_sp_sim::Product;
use evtpm_testing_support::Browser;
use hyper::Method;
use serde_json::{Value, json};

use super::attacks::logs::with_other_digest;
use super::continuous_tests::{Machine, Restartable, unchanged};
use super::world::World;

/// A browser at the page, and where its pictures go.
struct Visit {
    browser: Browser,
    pictures: PathBuf,
    url: String,
}

impl Visit {
    /// `None` where there is no Chromium; says so.
    fn new(url: String) -> Option<Self> {
        let Some(browser) = Browser::start() else {
            eprintln!("skipped: there is no Chromium on this machine (Debian: apt-get install chromium)");
            return None;
        };
        let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let pictures =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from).join("page");
        std::fs::create_dir_all(&pictures).unwrap();
        let mut visit = Visit { browser, pictures, url };
        visit.browser.resize(1320, 900, false);
        visit.browser.prefer("light");
        Some(visit)
    }

    fn picture(&mut self, name: &str) {
        let path = self.pictures.join(format!("{name}.png"));
        self.browser.picture(&path);
    }

    /// Goes to a view of the page, without loading it again.
    fn view(&mut self, path: &str, ready: &str) {
        self.browser.evaluate(&format!("location.hash = '#{path}'"));
        self.browser.wait(ready);
    }

    fn sign_in(&mut self, token: &str) {
        self.browser.go(&self.url.clone());
        self.browser.wait("document.activeElement?.id === 'token'");
        self.picture("login");
        self.browser.write("not-a-token-of-this-verifier");
        self.browser.press("Enter");
        self.browser.wait("document.querySelector('.wrong').textContent.includes('opens nothing')");
        self.browser.write(token);
        self.browser.press("Enter");
        self.browser.wait("document.querySelector('table.fleet')");
        assert_eq!(
            self.browser.evaluate("document.cookie + JSON.stringify(sessionStorage)"),
            "{}",
            "no script holds the token"
        );
        self.browser.wait("document.querySelector('#live').dataset.state === 'live'");
    }

    /// The states of the links of a machine.
    fn links(&mut self, machine: &str) -> Value {
        self.view(
            &format!("/machines/{machine}"),
            &format!(
                "document.querySelector('#machine[data-machine=\"{machine}\"] h1') && document.querySelector('.knot')"
            ),
        );
        self.browser.evaluate("Object.fromEntries([...document.querySelectorAll('.knot')].map((knot) => [knot.dataset.link, knot.dataset.state]))")
    }

    /// Holds back the answer to the next question whose address contains a text, until it is let go.
    fn hold_back(&mut self, address: &str) {
        let hold = "(() => {
            const real = window.fetch;
            const held = new Promise((letGo) => { window.letGo = letGo; });
            window.fetch = async (...asked) => {
                if (!asked[0].includes(ADDRESS)) return real(...asked);
                window.fetch = real;
                const answer = await real(...asked);
                await held;
                return answer;
            };
        })()";
        self.browser.evaluate(&hold.replace("ADDRESS", &json!(address).to_string()));
    }

    /// Lets the answer go, and gives the page the time to do something with it.
    fn let_go(&mut self) {
        self.browser.evaluate("window.letGo(), new Promise((done) => setTimeout(done, 300))");
    }

    fn count(&mut self, selector: &str) -> Value {
        self.browser.evaluate(&format!("document.querySelectorAll('{selector}').length"))
    }

    fn text(&mut self, selector: &str) -> String {
        self.browser.evaluate(&format!("document.querySelector('{selector}').innerText")).as_str().unwrap().to_owned()
    }
}

#[test]
#[ignore = "it needs a Chromium: cargo xtask page"]
fn the_page_shows_why_and_follows_what_happens() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = Restartable::new(&world, "page");
    let Some(mut visit) = Visit::new(verifier.url()) else { return };
    let token = std::fs::read_to_string(verifier.directory.join("admin.token")).unwrap();

    let mut good = Machine::boot(&world);
    let as_good = good.register(&verifier, "web-1").unwrap();
    good.attest(&verifier, &as_good, unchanged).unwrap();
    let mut tampered = Machine::boot(&world);
    let as_tampered = tampered.register(&verifier, "web-2").unwrap();
    tampered.attest(&verifier, &as_tampered, unchanged).unwrap();
    tampered.measure_file("/usr/bin/dropper");
    tampered.attest(&verifier, &as_tampered, unchanged).unwrap();
    let mut lying = Machine::boot(&world);
    let as_lying = lying.register(&verifier, "db-1").unwrap();
    let lie = |evidence: &mut evtpm_api::RuntimeEvidence| {
        evidence.event_log.0 = with_other_digest(&evidence.event_log).unwrap()
    };
    lying.attest(&verifier, &as_lying, lie).unwrap();
    let mut forged = Machine::boot(&world);
    let as_forged = forged.register(&verifier, "db-2").unwrap();
    let forge = |evidence: &mut evtpm_api::RuntimeEvidence| *evidence.signature.0.last_mut().unwrap() ^= 1;
    forged.attest(&verifier, &as_forged, forge).unwrap();
    let _: Value = verifier.by_token().ask(Method::PUT, "/machines/build-1", Some("{}".into())).unwrap();

    visit.sign_in(token.trim());
    the_fleet(&mut visit);
    the_chains(&mut visit);
    the_logs(&mut visit);
    the_keyboard(&mut visit);
    answers_that_come_late(&mut visit);
    accepting_a_file(&mut visit);
    tampered.attest(&verifier, &as_tampered, unchanged).unwrap();
    visit.browser.wait("document.querySelector('#machine .badge').textContent === 'healthy'");

    verifier.add_key("disk", &json!({ "grants": { "machines": ["web-1"] } }).to_string());
    // The policy is another one: the machine has to be judged by it first.
    good.attest(&verifier, &as_good, unchanged).unwrap();
    visit.view("/policies", "document.querySelector('main table')");
    visit.hold_back("/v1/keys");
    visit.view("/keys", "document.querySelector('#keys .skeleton')");
    good.ask(&verifier, &as_good, "disk").unwrap();
    let live = "document.querySelector('table.keys td[data-label=\"Live leases\"]')?.textContent === '1'";
    visit.browser.wait(live);
    visit.let_go();
    assert_eq!(visit.browser.evaluate(live), json!(true), "keys as they were before the lease");
    revoking_a_lease(&mut visit);

    // What happens is seen without asking.
    visit.view("/", "document.querySelector('tr[data-machine=\"web-1\"] .badge')?.textContent === 'healthy'");
    good.measure_file("/tmp/<b>miner</b>");
    good.attest(&verifier, &as_good, unchanged).unwrap();
    visit.browser.wait("document.querySelector('tr[data-machine=\"web-1\"] .badge')?.textContent === 'failed'");
    visit.browser.wait("document.querySelector('tr[data-machine=\"web-1\"]').innerText.includes('/tmp/<b>miner</b>')");
    assert_eq!(
        visit.browser.evaluate("document.querySelectorAll('main b b, td b').length"),
        0,
        "no machine writes markup"
    );

    policies_and_audit(&mut visit);
    dark_and_small(&mut visit);
    ten_thousand_machines(&mut visit);
    assert_eq!(visit.browser.complaints(), Vec::<String>::new());

    without_a_network(&mut visit);
}

fn the_fleet(visit: &mut Visit) {
    visit.picture("fleet");
    let states = visit.browser.evaluate(
        "Object.fromEntries([...document.querySelectorAll('tr[data-machine]')].map((row) => [row.dataset.machine, row.querySelector('.badge').textContent]))",
    );
    let expected =
        json!({ "web-1": "healthy", "web-2": "failed", "db-1": "failed", "db-2": "failed", "build-1": "unknown" });
    assert_eq!(states, expected);
    assert!(visit.text("tr[data-machine=web-2]").contains("/usr/bin/dropper"));
    assert!(visit.text("tr[data-machine=web-1]").contains("at or above floor"));
    visit.browser.evaluate("document.querySelector('#search').focus()");
    visit.browser.write("dropper");
    visit.browser.wait("document.querySelectorAll('tr[data-machine]').length === 1");
    visit.browser.evaluate("document.querySelector('#search').select()");
    visit.browser.write("no such thing");
    visit.browser.wait("document.querySelector('.empty')");
    visit.browser.evaluate("document.querySelector('.empty button').click()");
    visit.browser.wait("document.querySelectorAll('tr[data-machine]').length === 5");
}

fn the_chains(visit: &mut Visit) {
    // The root is simulated, and every link says what it is.
    let with = |changed: Value| {
        let mut all = json!({
            "root": "warning", "vcek": "good", "report": "good", "ek": "good", "ak": "good", "quote": "good", "boot-log": "good",
            "ima": "good",
        });
        for (link, state) in changed.as_object().unwrap() {
            all[link] = state.clone();
        }
        all
    };
    assert_eq!(visit.links("web-1"), with(json!({})));
    visit.picture("machine");
    assert_eq!(visit.links("web-2"), with(json!({ "ima": "bad" })));
    let why = visit.text("#why");
    assert_eq!(why, "/usr/bin/dropper is a file that the policy does not know.");
    visit.picture("machine-tampered");
    let lying = visit.links("db-1");
    assert_eq!((&lying["quote"], &lying["boot-log"]), (&json!("good"), &json!("bad")));
    assert_ne!(lying["ima"], json!("good"), "what was not reached is not good");
    assert!(visit.text("#why").contains("PCR"), "{}", visit.text("#why"));
    let forged = visit.links("db-2");
    assert_eq!(forged["quote"], json!("bad"));
    assert_ne!(forged["boot-log"], json!("good"), "nothing behind a forged quote is good");
    visit.view("/machines/build-1", "document.querySelector('.empty')");
}

fn the_logs(visit: &mut Visit) {
    visit.view("/machines/web-2/boot-log", "document.querySelectorAll('.pcr').length > 5");
    visit.picture("boot-log");
    visit.browser.evaluate("document.querySelectorAll('.pcr').forEach((pcr) => { pcr.open = true; })");
    assert!(visit.text(".tree").contains("systemd.show_status"), "the command line is to be read");
    visit.view("/machines/web-2/ima", "document.querySelectorAll('table.ima tbody tr').length === 100");
    assert!(visit.text("table.ima tbody tr").contains("/usr/bin/dropper"), "the newest stands first");
    visit.view("/machines/web-2/boots", "document.querySelectorAll('table.boots tbody tr').length === 1");
}

fn the_keyboard(visit: &mut Visit) {
    visit.links("web-2");
    visit.browser.call("Page.reload", json!({}));
    visit.browser.wait("document.readyState === 'complete' && document.querySelector('.knot')");
    visit.browser.press("Tab");
    assert_eq!(visit.browser.evaluate("document.activeElement.id"), "skip");
    visit.browser.press("Enter");
    assert_eq!(visit.browser.evaluate("document.activeElement.id"), "main");
    visit.browser.evaluate("document.querySelector('.knot[tabindex=\"0\"]').focus()");
    visit.browser.press("ArrowLeft");
    visit.browser.press("ArrowLeft");
    assert_eq!(visit.browser.evaluate("document.activeElement.dataset.link"), "quote");
    assert_eq!(visit.browser.evaluate("document.activeElement.getAttribute('aria-pressed')"), "true");
    let name = visit.browser.evaluate("document.activeElement.getAttribute('aria-label')");
    assert!(name.as_str().unwrap().starts_with("Quote: holds."), "{name}");
    assert!(visit.text("#link").contains("pcr_digest"), "the fields are those of the link that is chosen");
    visit.browser.evaluate("document.querySelector('#tab-chain').focus()");
    visit.browser.press("ArrowRight");
    visit.browser.wait("document.activeElement?.id === 'tab-boot-log'");
}

/// An answer to what somebody asked before he asked something else is not shown.
fn answers_that_come_late(visit: &mut Visit) {
    visit.view("/machines/web-2/ima", "document.querySelectorAll('table.ima tbody tr').length === 100");
    visit.hold_back("/ima?");
    visit.browser.evaluate("document.querySelector('#flagged').click()");
    visit.browser.evaluate("document.querySelector('.tools [type=search]').focus()");
    visit.browser.write("no such file");
    visit.browser.wait("document.querySelector('#ima .empty')");
    visit.let_go();
    assert_eq!(visit.count("#ima .empty"), json!(1), "the list without the search");

    visit.view("/", "document.querySelectorAll('tr[data-machine]').length === 5");
    visit.hold_back("/fleet?");
    visit.browser.evaluate("document.querySelector('#chip-healthy').click()");
    visit.browser.evaluate("document.querySelector('#chip-failed').click()");
    visit.browser.wait("document.querySelectorAll('tr[data-machine]').length === 3");
    visit.let_go();
    assert_eq!(visit.count("tr[data-machine]"), json!(3), "the machines of another state");
    visit.browser.evaluate("document.querySelector('#chip-all').click()");
    visit.browser.wait("document.querySelectorAll('tr[data-machine]').length === 5");
}

fn accepting_a_file(visit: &mut Visit) {
    visit.view("/machines/web-2/ima", "document.querySelector('#flagged')");
    visit.browser.evaluate("document.querySelector('#flagged').click()");
    visit.browser.wait("document.querySelectorAll('table.ima tbody tr').length === 1");
    visit.browser.evaluate("document.querySelector('[data-path=\"/usr/bin/dropper\"]').click()");
    visit.browser.evaluate("document.querySelector('.tools .primary').click()");
    visit.browser.wait("document.querySelector('dialog .changes')");
    let effect = visit.text("dialog .effect");
    for words in ["3 machines", "web-2", "untrusted", "trusted", "Not judged"] {
        assert!(effect.contains(words), "{words}: {effect}");
    }
    visit.picture("accept");
    visit.browser.evaluate("document.querySelector('dialog .primary').click()");
    visit.browser.wait("!document.querySelector('dialog')");
    assert!(visit.text("#toast").contains("knows the file"));
}

fn revoking_a_lease(visit: &mut Visit) {
    visit.view("/keys", "document.querySelector('tr[data-lease] .badge')?.textContent === 'live'");
    assert!(visit.text("table.keys").contains("web-1"));
    visit.picture("keys");
    visit.browser.evaluate("document.querySelector('tr[data-lease] button').click()");
    visit.browser.wait("document.querySelector('dialog')?.open");
    visit.browser.evaluate("document.querySelector('dialog .primary').click()");
    visit.browser.wait("document.querySelector('tr[data-lease] .badge')?.textContent === 'ended'");
    visit.view("/machines/web-1/keys", "document.querySelector('table.leases')?.innerText.includes('admin')");
}

fn policies_and_audit(visit: &mut Visit) {
    visit.view("/policies/default", "document.querySelector('#document')?.value.includes('/usr/bin/dropper')");
    visit.browser.evaluate("document.querySelector('.panel .tools button').click()");
    visit.browser.wait("document.querySelector('.effect p')?.textContent.includes('No verdict changes')");
    visit.picture("policy");
    visit.view("/audit", "document.querySelectorAll('table.audit tbody tr').length > 10");
    visit.browser.evaluate("document.querySelector('.head button').click()");
    visit.browser.wait("document.querySelector('.head .badge.good')?.textContent.includes('lines hold')");
    assert!(visit.text("table.audit").contains("policy-changed"));
    visit.picture("audit");
}

fn dark_and_small(visit: &mut Visit) {
    visit.browser.prefer("dark");
    visit.view("/", "document.querySelector('table.fleet')");
    visit.picture("fleet-dark");
    visit.links("db-1");
    visit.picture("machine-dark");
    visit.browser.prefer("light");
    let ground =
        |visit: &mut Visit| visit.browser.evaluate("getComputedStyle(document.documentElement).backgroundColor");
    let light = ground(visit);
    visit.browser.evaluate("document.querySelector('#theme').click()");
    assert_eq!(ground(visit), light, "the switch says light, as the system does");
    visit.browser.evaluate("document.querySelector('#theme').click()");
    assert_ne!(ground(visit), light, "the switch says dark, whatever the system does");
    visit.browser.evaluate("document.querySelector('#theme').click()");

    visit.browser.resize(360, 740, true);
    for (path, ready, picture) in [
        ("/", "document.querySelector('table.fleet')", "phone-fleet"),
        ("/machines/db-1", "document.querySelector('.knot')", "phone-machine"),
        ("/machines/db-1/boot-log", "document.querySelector('.pcr')", "phone-boot-log"),
        ("/machines/web-1/ima", "document.querySelector('table.ima')", "phone-ima"),
        ("/policies", "document.querySelector('table')", "phone-policies"),
        ("/audit", "document.querySelector('table.audit')", "phone-audit"),
    ] {
        visit.view(path, ready);
        visit.browser.evaluate("window.scrollTo(0, 0)");
        visit.picture(picture);
        let width = visit.browser.evaluate("document.documentElement.scrollWidth");
        assert!(width.as_u64().is_some_and(|width| width <= 360), "{path} is {width} wide");
    }
    visit.browser.resize(1320, 900, false);
}

fn without_a_network(visit: &mut Visit) {
    let offline = |is: bool| json!({ "offline": is, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    visit.browser.call("Network.enable", json!({}));
    visit.browser.call("Network.emulateNetworkConditions", offline(true));
    visit.browser.wait("document.querySelector('#live').dataset.state === 'lost'");
    visit.browser.wait("!document.querySelector('#banner').hidden");
    visit.picture("disconnected");
    visit.browser.call("Network.emulateNetworkConditions", offline(false));
    visit.browser.wait("document.querySelector('#live').dataset.state === 'live'");
    visit.browser.wait("document.querySelector('#banner').hidden");
}

fn ten_thousand_machines(visit: &mut Visit) {
    let add = "(async () => {
        const add = (n) => fetch(`/v1/machines/vm-${String(n).padStart(5, '0')}`, { method: 'PUT', body: '{}', headers: { 'content-type': 'application/json' } });
        for (let n = FROM; n < FROM + 1000; n += 50) {
            const done = await Promise.all(Array.from({ length: 50 }, (_, m) => add(n + m)));
            const refused = done.find((answer) => !answer.ok);
            if (refused) return refused.text();
        }
        return 'done';
    })()";
    for from in 0..10 {
        assert_eq!(visit.browser.evaluate(&add.replace("FROM", &(from * 1000).to_string())), "done");
    }
    visit.view("/audit", "document.querySelector('table.audit')");
    visit.view("/", "document.querySelector('.pager')?.textContent.includes('1 to 100 of 10,005')");
    let rows = visit.browser.evaluate("document.querySelectorAll('tr[data-machine]').length");
    assert_eq!(rows, 100);
    visit.browser.evaluate("[...document.querySelectorAll('.pager button')].at(-1).click()");
    visit.browser.wait("document.querySelector('.pager')?.textContent.includes('101 to 200')");
    let took = visit.browser.evaluate(
        "(async () => { const began = performance.now(); await (await fetch('/v1/fleet?search=vm-09999&limit=100')).json(); return performance.now() - began; })()",
    );
    assert!(took.as_f64().is_some_and(|took| took < 2_000.0), "a search among ten thousand took {took} ms");
    visit.picture("fleet-large");
}
