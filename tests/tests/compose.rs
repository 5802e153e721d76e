//! `docker-compose.yml` and `deploy/`: images are pinned, what is referenced exists, our command lines are accepted by the
//! program, secrets have no default, and Prometheus' own tools accept the configurations. No image is pulled.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::process::Command;

use clap::Parser;
use homeostat_cli::args::Cli;
use homeostat_tests::{found, workspace};
use serde_json::{Map, Value};

const OURS: &str = "homeostat:";

fn compose() -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(workspace().join("docker-compose.yml")).unwrap()).unwrap()
}

fn services(compose: &Value) -> &Map<String, Value> {
    compose["services"].as_object().unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|entry| entry.as_str().unwrap()).collect()
}

#[test]
fn the_services_are_there_pinned_and_watched() {
    let compose = compose();
    let names: BTreeSet<&str> = services(&compose).keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["agent", "agents-ca", "alertmanager", "controller", "postgres", "prometheus"]));
    for (name, service) in services(&compose) {
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').unwrap_or_else(|| panic!("{name}: {image} has no tag")).1;
        assert!(
            tag.starts_with(|first: char| first.is_ascii_digit() || first == 'v') && tag.contains('.'),
            "{name}: {image} is not pinned"
        );
        assert!(service["restart"].is_string(), "{name}: no restart policy");
        let runs_once = service["restart"] == "no";
        assert!(runs_once || service["healthcheck"]["test"].is_array(), "{name}: no health check");
        assert!(runs_once || !texts(&service["volumes"]).is_empty(), "{name}: no volume");
    }
}

#[test]
fn our_version_is_the_image_s() {
    let image = format!("{OURS}{}", env!("CARGO_PKG_VERSION"));
    let compose = compose();
    let ours: Vec<&Value> =
        services(&compose).values().filter(|service| service["image"].as_str().unwrap().starts_with(OURS)).collect();
    assert!(
        ours.iter().all(|service| service["image"] == image.as_str()),
        "docker-compose.yml names another version than {image}"
    );
    assert_eq!(ours.iter().filter(|service| service["build"]["dockerfile"] == "deploy/Dockerfile").count(), 1);
}

#[test]
fn the_program_accepts_its_command_lines() {
    let compose = compose();
    let mut checked = Vec::new();
    for (name, service) in services(&compose) {
        if !service["image"].as_str().unwrap().starts_with(OURS) || service["entrypoint"].is_array() {
            continue;
        }
        let line = std::iter::once("homeostat").chain(texts(&service["command"]));
        if let Err(error) = Cli::try_parse_from(line) {
            panic!("{name}: {error}");
        }
        checked.push(name.as_str());
    }
    assert_eq!(checked, ["agent", "controller"]);
    // The check can fail.
    assert!(Cli::try_parse_from(["homeostat", "controller", "--no-such-flag"]).is_err());
}

#[test]
fn what_is_referenced_exists() {
    let compose = compose();
    let declared: BTreeSet<&str> = compose["volumes"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut used = BTreeSet::new();
    for (name, service) in services(&compose) {
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            match source.strip_prefix("./") {
                Some(file) => assert!(workspace().join(file).is_file(), "{name}: {volume}: no such file"),
                None => {
                    assert!(declared.contains(source), "{name}: volume {source} is not declared");
                    used.insert(source);
                }
            }
        }
        for dependency in service["depends_on"].as_object().into_iter().flat_map(Map::keys) {
            assert!(services(&compose).contains_key(dependency), "{name} depends on {dependency}");
        }
        // Each published port is one that the service was told to listen on (or its program's own).
        let line = texts(&service["command"]).join(" ");
        for port in texts(&service["ports"]) {
            let [address, outside, inside] = port.split(':').collect::<Vec<_>>()[..] else { panic!("{name}: {port}") };
            assert_eq!(address, "127.0.0.1", "{name}: {port} is published to everybody");
            let own = matches!((name.as_str(), inside), ("prometheus", "9090") | ("alertmanager", "9093"));
            assert!(own || line.contains(&format!("0.0.0.0:{inside}")), "{name}: nothing listens on {inside}");
            assert!(outside.parse::<u16>().is_ok());
        }
        let check = texts(&service["healthcheck"]["test"]).join(" ");
        if let Some(port) = check.split("/dev/tcp/127.0.0.1/").nth(1).map(|rest| &rest[..4]) {
            assert!(
                line.contains(&format!("0.0.0.0:{port}")),
                "{name}: the health check asks {port}, where nothing listens"
            );
        }
        // Addresses of other services inside the network.
        for url in
            texts(&service["command"]).iter().filter_map(|argument| argument.split_once("=http").map(|(_, url)| url))
        {
            let host = url.trim_start_matches('s').trim_start_matches("://").split(':').next().unwrap();
            assert!(host == "127.0.0.1" || services(&compose).contains_key(host), "{name}: nobody is named {host}");
        }
    }
    assert_eq!(used, declared, "a volume is declared and not used");
}

#[test]
fn secrets_have_no_default() {
    let compose = compose();
    for (name, service) in services(&compose) {
        for (variable, value) in service["environment"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap();
            let secret = ["PASSWORD", "TOKEN", "SECRET", "RECORDS"].iter().any(|word| variable.contains(word));
            assert!(
                !secret || value.contains(":?"),
                "{name}: {variable} must come from the environment, without a default"
            );
            assert!(!value.contains(":-"), "{name}: {variable} has a default");
        }
    }
}

#[test]
fn the_image_is_built_in_stages_and_runs_as_nobody() {
    let text = std::fs::read_to_string(workspace().join("deploy/Dockerfile")).unwrap();
    let stages: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert!(stages.len() > 1, "{stages:?}");
    assert!(stages.iter().all(|stage| stage.contains(':') && !stage.contains(":latest")), "{stages:?}");
    let last = text.rsplit("FROM ").next().unwrap();
    let user = last.lines().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert_ne!(user.split(':').next(), Some("0"));
    assert_ne!(user, "root");
    assert!(last.contains("ENTRYPOINT [\"/usr/local/bin/homeostat\"]"));
    for ignored in [".git", "target", ".env"] {
        let ignore = std::fs::read_to_string(workspace().join(".dockerignore")).unwrap();
        assert!(ignore.lines().any(|line| line == ignored), ".dockerignore lacks {ignored}");
    }
}

#[test]
fn prometheus_and_alertmanager_accept_their_configurations() {
    check("promtool", &["check", "config", "prometheus.yml"], "apt-get install prometheus");
    check("promtool", &["check", "rules", "rules.yml"], "apt-get install prometheus");
    check("promtool", &["test", "rules", "rules-test.yml"], "apt-get install prometheus");
    check("amtool", &["check-config", "alertmanager.yml"], "apt-get install prometheus-alertmanager");
}

fn check(program: &str, arguments: &[&str], remedy: &str) {
    let Some(path) = found::or_skip(program, remedy, found::program(program)) else { return };
    let output = Command::new(path).args(arguments).current_dir(workspace().join("deploy")).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
}
