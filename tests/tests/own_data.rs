//! `examples/own-data`, as its README says: its shell blocks are read out of it and typed, in a copy of the folder. What is
//! wrong in the README fails here.
//!
//! What differs from a reader's terminal: ports are free ones, kubectl may be the control plane's, and NAME and the gateway's
//! well-known address are replaced by what is so.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use homeostat_protocol::ports;
use homeostat_tests::homeostat::{Dev, children, end_all_of, run};
use homeostat_tests::readme::{Block, steps};
use homeostat_tests::{kubectl, workspace};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// A debug build that trains on a machine that does other things as well.
const TRAINING: Duration = Duration::from_secs(10 * 60);
/// The README's own waiting ends before.
const STEP: Duration = Duration::from_secs(6 * 60);
const READY: Duration = Duration::from_secs(30);
const END: Duration = Duration::from_secs(30);

const EXAMPLE: &str = "examples/own-data";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_five_steps_of_the_readme_do_what_it_says() {
    let Some(mut reader) = Reader::new() else { return };
    let started = std::time::Instant::now();
    let told = |what: &str| println!("{:6.1} s  {what}", started.elapsed().as_secs_f64());
    assert_eq!(reader.blocks.last().unwrap().step, 5, "five typed steps");

    reader.type_step(1, TRAINING).await;
    told("the first version is trained");
    let dev = reader.start(2).await;
    reader.kubeconfig = Some(dev.kubeconfig.clone());
    reader.gateway = dev.gateway.trim_start_matches("http://").trim_end_matches("/v1").to_string();

    let answers = reader.type_step(3, STEP).await;
    assert!(answers.contains("model.homeostat.dev/desk created"), "{answers}");
    assert!(answers.contains("model.homeostat.dev/desk condition met"), "{answers}");
    assert_eq!(completion(&answers), "4103", "what the first version learnt");
    told("the model is Ready");

    let row = reader.type_until(4, TRAINING, "Succeeded").await;
    // NAME MODEL CAUSE PHASE STEP VERSION READY REASON AGE
    let columns: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((columns[1], columns[2], columns[6]), ("desk", "ModelDecay", "True"), "{row}");
    let version = columns[5];
    told(&format!("the retraining has made {version}"));

    reader.name = version.to_string();
    let answers = reader.type_step(5, STEP).await;
    assert!(answers.contains("model.homeostat.dev/desk condition met"), "{answers}");
    assert_eq!(completion(&answers), "4203", "what holds now");
    for part in ["RetrainingStarted", "ModelDecay", "Promoted", "a person's reason: passed its gates", "evidence"] {
        assert!(answers.contains(part), "homeostat why says nothing of {part:?}: {answers}");
    }
    let promoted = "-o jsonpath='{.status.conditions[?(@.type==\"Promoted\")].status}'";
    assert_eq!(reader.run(&format!("kubectl get modelversion {version} {promoted}"), STEP).await, "True");
    assert_eq!(reader.run("kubectl get model desk -o jsonpath='{.status.stable}'", STEP).await, version);
    told("it is promoted, and the model Ready");

    let offspring = children(dev.id());
    assert!(dev.end(Signal::SIGINT, END).await.unwrap().success());
    for child in offspring {
        assert!(!Path::new(&format!("/proc/{child}")).exists(), "child {child} outlived homeostat dev");
    }
}

/// Who follows the README.
struct Reader {
    blocks: Vec<Block>,
    folder: tempfile::TempDir,
    kubeconfig: Option<PathBuf>,
    gateway: String,
    name: String,
}

impl Drop for Reader {
    fn drop(&mut self) {
        // After a failure: the engines of a `homeostat dev` that was killed.
        let _ = end_all_of(self.folder.path());
    }
}

impl Reader {
    /// In a copy of the example, with both programs in the PATH; none (after saying so) without kubectl.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (bin, example) = (folder.path().join("bin"), folder.path().join(EXAMPLE));
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir_all(&example).unwrap();
        if !kubectl::put_into(&bin).unwrap() {
            return None;
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_homeostat-under-test"), bin.join("homeostat")).unwrap();
        for file in std::fs::read_dir(workspace().join(EXAMPLE)).unwrap() {
            let file = file.unwrap();
            // What a person has trained there stays there.
            if file.path().is_file() {
                std::fs::copy(file.path(), example.join(file.file_name())).unwrap();
            }
        }
        let blocks = steps(&std::fs::read_to_string(example.join("README.md")).unwrap());
        Some(Self { blocks, folder, kubeconfig: None, gateway: String::new(), name: String::new() })
    }

    /// All blocks of a step, typed one after the other; what they print.
    async fn type_step(&self, step: u32, deadline: Duration) -> String {
        let mut printed = String::new();
        for commands in self.commands(step) {
            printed.push_str(&self.run(&commands, deadline).await);
        }
        printed
    }

    /// The step's blocks as typed.
    fn commands(&self, step: u32) -> Vec<String> {
        let documented = format!("127.0.0.1:{}", ports::GATEWAY);
        let own = self.blocks.iter().filter(|block| block.step == step);
        let typed = |block: &Block| block.commands.replace(&documented, &self.gateway).replace("NAME", &self.name);
        let commands: Vec<String> = own.map(typed).collect();
        assert!(!commands.is_empty(), "step {step} has nothing to type");
        commands
    }

    async fn run(&self, commands: &str, deadline: Duration) -> String {
        let output = run(self.shell(commands), deadline).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{commands}\n{}\n{out}\n{err}", output.status);
        out
    }

    /// A step of one block that does not end by itself: typed in a terminal of its own.
    async fn start(&self, step: u32) -> Dev {
        let commands = self.commands(step);
        assert_eq!(commands.len(), 1, "{commands:?}");
        // One command: the shell becomes it.
        let command = self.shell(&format!("exec {}", commands[0]));
        Dev::spawn(command, &self.folder.path().join("dev.log"), READY).await.unwrap()
    }

    /// A step of one block that ends with a watch: the first line that holds `wanted`. The reader presses Ctrl-C then.
    async fn type_until(&self, step: u32, deadline: Duration, wanted: &str) -> String {
        let commands = self.commands(step);
        assert_eq!(commands.len(), 1, "{commands:?}");
        let mut process = self.shell(&commands[0]).stdout(Stdio::piped()).process_group(0).spawn().unwrap();
        let group = nix::unistd::Pid::from_raw(i32::try_from(process.id().unwrap()).unwrap());
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut seen = Vec::new();
        let reading = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                println!("          {line}");
                seen.push(line);
                if let Some(line) = seen.last().filter(|line| line.contains(wanted)) {
                    return Some(line.clone());
                }
            }
            None
        };
        let found = tokio::time::timeout(deadline, reading).await;
        let _ = nix::sys::signal::killpg(group, Signal::SIGINT);
        process.wait().await.unwrap();
        let log = || std::fs::read_to_string(self.folder.path().join("dev.log")).unwrap_or_default();
        found
            .ok()
            .flatten()
            .unwrap_or_else(|| panic!("step {step} shows no {wanted} within {deadline:?}: {seen:#?}\n{}", log()))
    }

    /// A shell that gives up at the first command that fails, in the folder in which the README has its reader stand.
    fn shell(&self, commands: &str) -> Command {
        let root = self.folder.path();
        let path = format!("{}:{}", root.join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", commands]).current_dir(root).env("PATH", path).env("HOME", root);
        for port in ["API", "WEB", "GATEWAY"] {
            command.env(format!("HOMEOSTAT_{port}_LISTEN"), "127.0.0.1:0");
        }
        command.env_remove("KUBECONFIG").envs(self.kubeconfig.as_ref().map(|path| ("KUBECONFIG", path)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// The text of the one chat completion among what was printed.
fn completion(printed: &str) -> String {
    let answers = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut texts = answers.filter_map(|answer| Some(answer["choices"][0]["message"]["content"].as_str()?.to_owned()));
    texts.next().unwrap_or_else(|| panic!("no answer of the model in: {printed}"))
}
