"""Items per second of this crate beside the reference implementations: the same texts, one core each, one after the other, in one run.

    python parity/compare_speed.py [PAIRS]

Sets up a virtual environment with the versions of requirements.txt (in the system's folder for temporary files, or where SPEED_VENV says; an existing
one is used as it is), builds examples/quality_speed.rs and prints a table: metric, items per second of both, ratio, and the mean score of both, which
have to agree. Texts are drawn from a seed: sentences of 8 to 30 words for the sentence metrics, and each reference a disturbed copy.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
WORKSPACE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
ENVIRONMENT = os.environ.get("SPEED_VENV") or os.path.join(tempfile.gettempdir(), "homeostat-quality-references")

REFERENCE = r'''
import json, sys, time
import logging
logging.disable(logging.WARNING)
from nltk.translate.meteor_score import single_meteor_score
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF, TER
import re

class NoWordNet:
    def synsets(self, word):
        return []

words = lambda s: re.findall(r"\w+|[^\w\s]", s)
pairs = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
bleu, chrf, chrfpp, ter = BLEU(effective_order=True), CHRF(), CHRF(word_order=2), TER()
rouge = RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=True)
metrics = {
    "bleu": lambda h, r: bleu.sentence_score(h, [r]).score,
    "chrf": lambda h, r: chrf.sentence_score(h, [r]).score,
    "chrf++": lambda h, r: chrfpp.sentence_score(h, [r]).score,
    "ter": lambda h, r: ter.sentence_score(h, [r]).score,
    "rouge": lambda h, r: rouge.score(r, h)["rougeL"].fmeasure,
    "meteor": lambda h, r: single_meteor_score(words(r), words(h), wordnet=NoWordNet()),
}
for name, score in metrics.items():
    # One pass: the references cache what they have seen, which a second pass would only measure.
    start = time.process_time()
    total = sum(score(p["hyp"], p["ref"]) for p in pairs)
    print("%s\t%.1f\t%.6f" % (name, len(pairs) / (time.process_time() - start), total / len(pairs)), flush=True)
'''


def texts(count):
    rng = random.Random(7)
    stems = ["run", "organ", "relat", "hop", "gener", "nation", "walk", "light", "govern", "polit", "market", "school", "play", "train", "wait"]
    ends = ["", "s", "ed", "ing", "ation", "izing", "fully", "ness", "er", "ly"]
    small = "the a of to and in that it is was for on are with as his they at be this from have or by one had".split()
    word = lambda: rng.choice(small) if rng.random() < 0.45 else rng.choice(stems) + rng.choice(ends)
    for _ in range(count):
        hyp = [word() for _ in range(rng.randint(8, 30))]
        ref = list(hyp)
        for _ in range(rng.randint(1, 8)):
            ref[rng.randrange(len(ref))] = word()
        if len(ref) > 10 and rng.random() < 0.5:
            ref = ref[5:] + ref[:5]
        line = lambda words: " ".join(words).capitalize() + rng.choice([".", "!", ", 3.5 of 1,000.", "?"])
        yield {"hyp": line(hyp), "ref": line(ref)}


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=WORKSPACE).stdout


def table(output):
    return {name: (float(speed), float(mean)) for name, speed, mean in (line.split("\t") for line in output.splitlines())}


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    python = os.path.join(ENVIRONMENT, "bin", "python")
    if not os.path.exists(python):
        venv.create(ENVIRONMENT, with_pip=True)
        run(python, "-m", "pip", "install", "--quiet", "-r", os.path.join(HERE, "requirements.txt"))
    run("cargo", "build", "--quiet", "--release", "-p", "homeostat-quality", "--example", "quality_speed")
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(WORKSPACE, "target")
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for pair in texts(count):
            file.write(json.dumps(pair) + "\n")
        file.flush()
        theirs = table(run(python, "-c", REFERENCE, file.name))
        ours = table(run(os.path.join(target, "release", "examples", "quality_speed"), file.name))
    print("%-8s %14s %14s %8s   %s" % ("metric", "reference/s", "ours/s", "ratio", "mean scores"))
    for name, (speed, mean) in theirs.items():
        print("%-8s %14.0f %14.0f %7.0fx   %.6f %.6f%s" % (
            name, speed, ours[name][0], ours[name][0] / speed, mean, ours[name][1], "" if abs(mean - ours[name][1]) < 2e-6 else "  DIFFER"))


main()
