"""What came of each method of CPython's own suite, from the XML that its regrtest writes (--junit-xml).

outcomes.py results FILE...                    METHOD OUTCOME, a line each
outcomes.py differing TIMES FILE... -- FILE... the methods with an outcome that the second files have
                                               TIMES times, and the first never
"""
import collections
import sys
import xml.etree.ElementTree

# What regrtest writes for these.
NAMES = {"output": "expected-failure", "outcome": "unexpected-success"}


def outcomes(files):
    found = collections.defaultdict(collections.Counter)
    for file in files:
        methods = collections.defaultdict(set)
        for case in xml.etree.ElementTree.parse(file).iter("testcase"):
            # Each subtest that failed is a case of its own.
            came = {NAMES.get(child.tag, child.tag) for child in case} - {"system-out", "system-err"}
            methods[case.get("name")].update(came or {"passed"})
        for name, came in methods.items():
            found[name]["+".join(sorted(came))] += 1
    return found


def results(*files):
    for name, came in sorted(outcomes(files).items()):
        print(name, *came)


def differing(times, *files):
    split = files.index("--")
    known, seen = outcomes(files[:split]), outcomes(files[split + 1:])
    for name in sorted(known.keys() | seen.keys()):
        others = [n for outcome, n in seen[name].items() if outcome not in known[name]]
        if not seen[name] or any(n >= int(times) for n in others):
            print(name)


{"results": results, "differing": differing}[sys.argv[1]](*sys.argv[2:])
