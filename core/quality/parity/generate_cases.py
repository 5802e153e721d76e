"""Writes random cases in the form of the project's reference answers, to compare this crate with the Python packages beyond the fixture.

    python generate_cases.py SEED PAIRS > cases.json
    PARITY_CASES=cases.json cargo test -p homeostat-quality --test parity -- --nocapture

Needs requirements.txt, and NLTK_DATA with WordNet 3.0 for `meteor_wn30` (left out otherwise). Texts mix scripts, emoji, combining marks, odd white
space, XML entities, numbers and punctuation, and mutations of them, so that tokenizers meet what no corpus holds.
"""
import json
import math
import random
import re
import string
import sys
import warnings

import jiwer
import numpy as np
from calibration.utils import get_ece, get_ece_em
from nltk.translate.meteor_score import meteor_score
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF, TER
from sklearn import metrics as sk

warnings.filterwarnings("ignore")
seed, count = int(sys.argv[1]), int(sys.argv[2])
rng = random.Random(seed)

WORDS = """the a an cat cats dogs running runs quickly generalization organized flies dying lying news innings skies proceed hopping hoping
happy enjoy geology theology rational relational allowance adjustment controlling rolled agreed feed plastered motoring conflated sized
tanned falling hissing fizzed failing The A AN Theory Tom's it's dog's ISN'T x's's car automobile auto mice mouse big large huge studies
ÉCOLE straße naïve İstanbul ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ привет МИР нормально שלום مرحبا السلام हिन्दी भाषा สวัสดีครับ ภาษาไทย 한국어 문장 Tiếng Việt""".split()
CJK = "的一是不了人我在有他这中大来上国。，！？、「」“”《》东京北京あいうえおカキクケコー・ｶﾅ々〇㈱㌔①②Ⅷ豈"
ODD = ["\u00a0", "\u3000", "\t", "\n", "\r\n", "\x1c", "\x1f", "\u2028", "\u200b", "\u200d", "\ufeff", "\x00", "\x85", " ", "  "]
EMOJI = ["😀", "👍🏽", "👩\u200d👧", "🇩🇪", "❤\ufe0f", "e\u0301", "a\u0308\u0323", "\u0301", "\U00020000", "\U0010ffff", "𝟘𝐀", "ⁿ²½"]
PUNCT = list(string.punctuation) + ["...", "..", ".,", ",.", "--", "''", "``", "…", "—", "–", "«", "»", "‘", "’", "€", "£", "±", "§", "†", "·", "₂"]
HTML = ["&quot;", "&amp;", "&lt;", "&gt;", "&amp;lt;", "&apos;", "<skipped>", "-\n", "\n-", "&quot", "<b>", "&"]
NUMBERS = ["3.14", "1,000", "5-3", "10.", ".5", "5.,5", "1.2.3", "2024-01-02", "3,", ",7", "٣٫١٤", "１２．３", "½", "7-", "-7", "9.x", "x.9", "1..2"]


def token():
    kind = rng.random()
    if kind < 0.55:
        return rng.choice(WORDS)
    if kind < 0.65:
        return "".join(rng.choice(CJK) for _ in range(rng.randint(1, 6)))
    if kind < 0.75:
        return rng.choice(PUNCT)
    if kind < 0.83:
        return rng.choice(NUMBERS)
    if kind < 0.88:
        return rng.choice(HTML)
    if kind < 0.93:
        return rng.choice(EMOJI)
    if kind < 0.96:
        return chr(rng.choice([rng.randint(0x21, 0x2fff), rng.randint(0x3000, 0xd7ff), rng.randint(0xe000, 0x1ffff)]))
    return "".join(rng.choice(string.ascii_letters + "yyaeioussed*") for _ in range(rng.randint(1, 9))) + rng.choice(
        ["", "s", "ed", "ing", "ies", "ation", "alli", "logi", "ness", "eed", "*ded", "ization", "fulli", "y"])


def text(most=18):
    out = []
    for _ in range(rng.randint(0, most)):
        out.append(token())
        out.append(rng.choice([" ", " ", " ", " ", "", rng.choice(ODD)]))
    return "".join(out)


def mutated(source):
    words = re.split(r"( )", source)
    for _ in range(rng.randint(0, 4)):
        if len(words) < 3:
            break
        i, j = sorted(rng.sample(range(len(words)), 2))
        choice = rng.random()
        if choice < 0.35:
            k = rng.randint(0, len(words))
            run = words[i:j]
            rest = words[:i] + words[j:]
            words = rest[:k] + run + rest[k:]
        elif choice < 0.6:
            words[i] = token()
        elif choice < 0.8:
            del words[i]
        else:
            words.insert(i, words[j])
    return "".join(words)


def norm(s):
    s = "".join(c for c in s.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", s).split())


def f1(hyp, ref, two):
    from collections import Counter
    h, r = norm(hyp).split(), norm(ref).split()
    if two and (not h or not r):
        return float(h == r)
    same = sum((Counter(h) & Counter(r)).values())
    if same == 0:
        return 0.0
    p, q = same / len(h), same / len(r)
    return 2 * p * q / (p + q)


def parts(s):
    return {"score": s.score, "counts": list(s.counts), "totals": list(s.totals), "precisions": list(s.precisions), "bp": s.bp,
            "sys_len": s.sys_len, "ref_len": s.ref_len}


def clean(value):
    if isinstance(value, dict):
        return {k: clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


try:
    from nltk.corpus import wordnet
    wordnet.synsets("dog")
except LookupError:
    wordnet = None


class NoWordNet:
    def synsets(self, word):
        return []


TOKS = ["13a", "zh", "intl", "char", "none"]
bleus = {t: BLEU(tokenize=t, effective_order=True) for t in TOKS}
chrfs = {"chrf": CHRF(), "chrf++": CHRF(word_order=2), "chrf_lc": CHRF(lowercase=True), "chrf_ws": CHRF(whitespace=True),
         "chrf_eps": CHRF(eps_smoothing=True), "chrf_b1": CHRF(beta=1)}
ters = {"ter": TER(), "ter_norm": TER(normalized=True), "ter_norm_asian": TER(normalized=True, asian_support=True),
        "ter_nopunct": TER(no_punct=True), "ter_cased": TER(case_sensitive=True)}
KINDS = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
rouges = {"plain": RougeScorer(KINDS, use_stemmer=False), "stem": RougeScorer(KINDS, use_stemmer=True)}
meteor_tokens = lambda s: re.findall(r"\w+|[^\w\s]", s)


def pair(i):
    hyp = text(60 if rng.random() < 0.05 else 18)
    refs = [mutated(hyp) if rng.random() < 0.8 else text() for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    tokens = lambda s: [meteor_tokens(x) for x in s]
    case = {
        "id": i, "hyp": hyp, "refs": refs,
        "tok": {t: bleus[t].tokenizer(hyp.rstrip()) for t in TOKS[:4]},
        "bleu": {t: parts(bleus[t].sentence_score(hyp, refs)) for t in TOKS},
        "bleu_13a_noeff": BLEU().sentence_score(hyp, refs).score,
        "chrf": {k: m.sentence_score(hyp, refs).score for k, m in chrfs.items()},
        "ter": {},
        "rouge": {k: [{n: list(s) for n, s in m.score(r, hyp).items()} for r in refs] for k, m in rouges.items()},
        "rouge_multi": {n: s.fmeasure for n, s in rouges["stem"].score_multi(refs, hyp).items()},
        "squad": {"norm_hyp": norm(hyp), "em": int(any(norm(r) == norm(hyp) for r in refs)),
                  "f1_v1": max(f1(hyp, r, False) for r in refs), "f1_v2": max(f1(hyp, r, True) for r in refs),
                  "em_strict": int(hyp in refs)},
        "meteor_nosyn": meteor_score(tokens(refs), meteor_tokens(hyp), wordnet=NoWordNet()),
    }
    if wordnet is not None:
        case["meteor_wn30"] = meteor_score(tokens(refs), meteor_tokens(hyp), wordnet=wordnet)
    for k, m in ters.items():
        s = m.sentence_score(hyp, refs)
        case["ter"][k] = {"score": s.score, "edits": float(s.num_edits), "ref_len": s.ref_length}
    return case


def corpus(pairs):
    hyps, refs = [p["hyp"] for p in pairs], [[p["refs"][0] for p in pairs]]
    out = {"pair_ids": [p["id"] for p in pairs], "nrefs": 1, "bleu": {}}
    for tok, smooth, case in [("13a", s, c) for s in ("exp", "floor", "add-k", "none") for c in ("mixed", "lc")] + [
            (t, "exp", "mixed") for t in ("zh", "intl", "char", "none")]:
        metric = BLEU(tokenize=tok, smooth_method=smooth, lowercase=case == "lc")
        out["bleu"]["%s|%s|%s" % (tok, smooth, case)] = parts(metric.corpus_score(hyps, refs))
    metric = BLEU()
    metric.corpus_score(hyps, refs)
    out["signature_13a"] = str(metric.get_signature())
    out["chrf"] = {k: m.corpus_score(hyps, refs).score for k, m in chrfs.items()}
    out["ter"] = {k: m.corpus_score(hyps, refs).score for k, m in ters.items()}
    out["rouge_mean_f_stem"] = {n: sum(rouges["stem"].score(r, h)[n].fmeasure for h, r in zip(hyps, refs[0])) / len(hyps) for n in KINDS}
    usable = [p for p in pairs if p["refs"][0].strip()]
    if usable:
        r, h = [p["refs"][0] for p in usable], [p["hyp"] for p in usable]
        out["wer_jiwer"] = {"pair_ids": [p["id"] for p in usable], "wer": jiwer.wer(r, h), "cer": jiwer.cer(r, h)}
    return out


def labels():
    n, k = rng.choice([1, 2, 5, 40, 200]), rng.randint(1, 8)
    y = [rng.randrange(k) for _ in range(n)]
    p = [v if rng.random() < rng.choice([0.2, 0.7]) else rng.randrange(k) for v in y]
    out = {"y": y, "p": p, "accuracy": sk.accuracy_score(y, p), "balanced_accuracy": sk.balanced_accuracy_score(y, p),
           "mcc": sk.matthews_corrcoef(y, p), "kappa": sk.cohen_kappa_score(y, p), "confusion": sk.confusion_matrix(y, p).tolist(),
           "f1_macro_zd1": sk.f1_score(y, p, average="macro", zero_division=1)}
    for average in ("micro", "macro", "weighted"):
        out[average] = list(sk.precision_recall_fscore_support(y, p, average=average, zero_division=0)[:3])
    names = sorted(set(y) | set(p))
    pr, rc, f, s = sk.precision_recall_fscore_support(y, p, labels=names, zero_division=0)
    out["per_class"] = {"labels": names, "p": pr, "r": rc, "f1": f, "support": s}
    for name in ("p", "r", "f1", "support"):
        out["per_class"][name] = list(out["per_class"][name])
    return out


def multilabels():
    n, k = rng.randint(1, 30), rng.randint(2, 8)
    y = [[int(rng.random() < 0.3) for _ in range(k)] for _ in range(n)]
    p = [[c if rng.random() < 0.7 else 1 - c for c in row] for row in y]
    out = {"y": y, "p": p, "subset_accuracy": sk.accuracy_score(y, p), "hamming_loss": sk.hamming_loss(y, p)}
    for average in ("micro", "macro", "weighted", "samples"):
        out[average] = sk.f1_score(y, p, average=average, zero_division=0)
    return out


def guo(conf, correct, bins):
    ece, mce = 0.0, 0.0
    edges = np.linspace(0, 1, bins + 1)
    for lo, hi in zip(edges[:-1], edges[1:]):
        inside = (conf > lo) & (conf <= hi)
        if inside.any():
            gap = abs(correct[inside].mean() - conf[inside].mean())
            ece += inside.mean() * gap
            mce = max(mce, gap)
    return ece, mce


def confidences():
    n = rng.choice([3, 10, 37, 400])
    conf = np.array([round(rng.random(), rng.choice([1, 2, 6])) for _ in range(n)])
    if rng.random() < 0.3:
        conf[0], conf[-1] = 0.0, 1.0
    correct = np.array([int(rng.random() < c) for c in conf])
    if correct.min() == correct.max():
        correct[0] = 1 - correct[0]
    out = {"conf": conf.tolist(), "correct": correct.tolist(), "helm_ece_10_equal_mass": get_ece_em(conf, correct, num_bins=10),
           "ucal_ece_15_equal_width": get_ece(conf, correct, num_bins=15), "brier": sk.brier_score_loss(correct, conf),
           "log_loss": sk.log_loss(correct, conf, labels=[0, 1]), "roc_auc": sk.roc_auc_score(correct, conf),
           "avg_precision": sk.average_precision_score(correct, conf)}
    for bins in (10, 15):
        out["guo_ece_%d" % bins], out["guo_mce_%d" % bins] = guo(conf, correct, bins)
    return out


pairs = [pair(i) for i in range(count)]
corpora = [corpus(pairs[i:i + 7]) for i in range(0, count, 7)]
json.dump(clean({"meta": {"seed": seed}, "pairs": pairs, "corpora": corpora, "classification": [labels() for _ in range(count // 5)],
                 "multilabel": [multilabels() for _ in range(count // 10)],
                 "calibration": {"cases": [confidences() for _ in range(count // 10)]}}), sys.stdout, ensure_ascii=False)
