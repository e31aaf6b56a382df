// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What services write down of their work, on standard error: lines for people, or one JSON object a line.
//!
//! Values are fields and not parts of sentences. A secret is none of them: services log names, states and reasons, and never a
//! body, a header or a query.
#![forbid(unsafe_code)]

use clap::{Args, ValueEnum};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How much is written down, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct LogArgs {
    /// The form of log lines, on standard error.
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Text, global = true)]
    pub log: Form,
    /// What is written down: nothing less important than this.
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Level::Info, global = true)]
    pub log_level: Level,
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Time, level, sentence, fields.
    Text,
    /// A JSON object: `timestamp`, `level`, `message`, fields, and the request that it belongs to in `span`.
    Json,
}

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// What failed and needs somebody.
    Error,
    /// What failed and is tried again, or concerns one client.
    Warn,
    /// What changed.
    Info,
    /// Each request.
    Debug,
}

impl LogArgs {
    /// Begins to write, for the whole process. Whoever asks second changes nothing.
    pub fn start(self) {
        // Tests run many services in one process.
        drop(tracing::subscriber::set_global_default(self.subscriber(std::io::stderr)));
    }

    fn subscriber<W>(self, writer: W) -> Box<dyn Subscriber + Send + Sync>
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let lines = tracing_subscriber::fmt()
            .with_writer(writer)
            .with_max_level(self.log_level.filter())
            // It would say on standard error that standard error cannot be written, and panic when it cannot: the disk that
            // keeps the log may be full, and no request fails for that.
            .log_internal_errors(false)
            .with_target(false)
            .with_ansi(false);
        match self.log {
            Form::Text => Box::new(lines.finish()),
            Form::Json => Box::new(lines.json().flatten_event(true).with_span_list(false).finish()),
        }
    }
}

impl Level {
    const fn filter(self) -> LevelFilter {
        match self {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(log: Form, log_level: Level, say: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::subscriber::with_default(LogArgs { log, log_level }.subscriber(move || writer.clone()), say);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    fn speak() {
        let _request = tracing::info_span!("request", id = "7f").entered();
        tracing::warn!(machine = "vm\n7", "the webhook is too slow");
        tracing::debug!("nobody wants to know");
    }

    #[test]
    fn a_line_of_json_has_level_message_fields_and_request() {
        let line: Value = serde_json::from_str(&written(Form::Json, Level::Info, speak)).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "the webhook is too slow");
        assert_eq!(line["machine"], "vm\n7");
        assert_eq!(line["span"]["id"], "7f");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn a_line_of_text_is_one_line_whatever_is_in_its_fields() {
        let text = written(Form::Text, Level::Info, speak);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("WARN") && text.contains("request{id=\"7f\"}") && text.contains(r"vm\n7"), "{text}");
    }

    #[test]
    fn a_level_is_the_least_important_that_is_written() {
        assert_eq!(written(Form::Text, Level::Debug, speak).lines().count(), 2);
        assert_eq!(written(Form::Text, Level::Error, speak), "");
    }
}
