import json
from pathlib import Path
import pytest
from cluster.rollouts.objects import counting
pytestmark = pytest.mark.cluster

def test_record(stage) -> None:
    rollout = {"canary": {"steps": [20]}, "analysis": {"interval": "5s"}}
    outcome = stage.play(counting("domains", replicas=4, rollout=rollout), counting("domains", "faulty", replicas=4, rollout=rollout), rate=5, deadline=400)
    Path("/tmp/EXPLAIN/recorded2.json").write_text(json.dumps(outcome.owner))
