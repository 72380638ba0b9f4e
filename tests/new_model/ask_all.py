"""Run by the image's Python in a new model-build repository after `make local`: what its model answers to each request.

Reads the golden and bad records of the folder that is its argument, and prints the names of those that are answered
otherwise than they must.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path("steps").resolve()))

import inference

DEPLOY = Path(sys.argv[1])
model = inference.model_fn("build/local/train/model")
words = json.loads((DEPLOY / "test" / "answer.json").read_text(encoding="utf-8"))
wrong = []
for case in json.loads((DEPLOY / "test" / "golden_records.json").read_text(encoding="utf-8")):
    body = json.dumps({"records": [case["record"]]})
    [answer] = json.loads(inference.transform_fn(model, body, "application/json", "").get_data())["predictions"]
    least, most = case["probability"]
    if answer["decision"] != case["decision"] or not least <= answer[words["probability"]] <= most:
        wrong.append(case["name"])
for case in json.loads((DEPLOY / "test" / "bad_records.json").read_text(encoding="utf-8")):
    body = case["text"] if "text" in case else json.dumps(case["json"])
    response = inference.transform_fn(model, body, case.get("content_type", "application/json"), "")
    said = json.loads(response.get_data())
    expected = (case["status"], case.get("record"), case.get("field"))
    if (response.status_code, said.get("record"), said.get("field")) != expected:
        wrong.append(case["name"])
print(json.dumps(wrong))
