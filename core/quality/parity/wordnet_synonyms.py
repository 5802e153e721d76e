"""Writes data/wordnet-3.0.txt from a WordNet 3.0 `dict` folder and its exception lists: what METEOR's synonym stage can use.

Kept: synsets with at least one word that is written without capitals and underscores, and of those only the single words; the
exception lists' entries whose base form is kept. One line a synset: part of speech, then its words; lines `x<pos>`: inflected form, base forms.
Run: python wordnet_synonyms.py DICT_FOLDER EXCEPTIONS_FOLDER > ../data/wordnet-3.0.txt
"""
import sys

dict_folder, exceptions_folder = sys.argv[1:3]
print("# WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved. See README.md beside this file for the licence.")
kept = set()
for pos, name in (("n", "noun"), ("v", "verb"), ("a", "adj"), ("r", "adv")):
    lines = set()
    for line in open("%s/data.%s" % (dict_folder, name), encoding="utf-8"):
        if line.startswith("  "):
            continue
        fields = line.split(" | ")[0].split()
        count = int(fields[3], 16)
        words = [word.split("(")[0] for word in fields[4:4 + 2 * count:2]]
        words = [word for word in words if "_" not in word]
        if any(word == word.lower() for word in words):
            lines.add(" ".join([pos] + words))
            kept.update((pos, word.lower()) for word in words)
    # A word alone in its synset is only of use as a base form; once is enough.
    for line in sorted(lines):
        print(line)
for pos, name in (("n", "noun"), ("v", "verb"), ("a", "adj"), ("r", "adv")):
    for line in open("%s/%s.exc" % (exceptions_folder, name), encoding="utf-8"):
        form, *bases = line.split()
        bases = [base for base in bases if (pos, base) in kept]
        if "_" not in form:
            print(" ".join(["x" + pos, form] + bases))
