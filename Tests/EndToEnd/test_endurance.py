"""The account of many flows (`endurance.py`): over sudden deaths, and over a hub that is away (T20)."""
import pathlib, re, time, unittest

import endurance
from stage import OWNER_OBJECT, Lab
from judge import faults

FLOWS, OUTAGE, RESTART = 20_000, 45, 20
MEMORY_MAX = 128                # MiB; an idle start takes some 20


class Endurance(unittest.TestCase):
    def test_twenty_thousand_mixed_flows_and_two_sudden_deaths_are_accounted_for(self):
        with Lab() as lab:
            lab.start_hub()
            word, account = endurance.run(lab, flows=FLOWS, kills=2, rate=1_500, seed=20)
            self.assertEqual(endurance.judge(word, account, lab), [], account)
            self.assertEqual((word["allowed"] + word["denied"], account.starts), (FLOWS, 3))


class T20(unittest.TestCase):
    def test_T20_the_record_of_a_flood_is_complete_and_bounded_over_an_outage_and_a_restart(self):
        with Lab() as lab:
            script = lab.folder / "faults"
            script.write_text("500:1000000")
            lab.start_hub("--control", script)
            sidecar, begun = lab.start_sidecar(endurance.POLICY), time.monotonic()
            traffic = endurance.Traffic(lab, FLOWS, FLOWS / 10, 20)
            while "allowed" not in (word := traffic.progress()):
                pass
            self.assertEqual(lab.record_bytes(), [], "the hub is away")
            time.sleep(max(begun + RESTART - time.monotonic(), 0))
            highest = self.memory(sidecar)
            sidecar.terminate()
            self.assertEqual(sidecar.wait(30), 0)
            sidecar = lab.start_sidecar(endurance.POLICY)
            time.sleep(max(begun + OUTAGE - time.monotonic(), 0))
            script.write_text("")
            endurance.add_up(lab)
            word["kernel"] = endurance.counts(lab)
            self.assertLess(max(highest, self.memory(sidecar)), MEMORY_MAX)
            sidecar.terminate()
            self.assertEqual(sidecar.wait(30), 0)

            account = endurance.Account(endurance.read(lab))
            self.assertEqual(endurance.judge(word, account, lab), [], account)
            self.assertEqual((word["allowed"] + word["denied"], account.starts), (FLOWS, 2))
            records = lab.records()
            self.assertEqual(len({(r["SbxBootId"], r["SbxSeq"]) for r in records}), len(records), "one record under two ids")
            flows = [r for r in records if r["SbxRecordKind"].startswith("Flow") and "SbxOwnFlow" not in r and r["NetworkDirection"] == "Outbound"]
            for record in flows:
                self.assertEqual(record["SrcUserAadId"], OWNER_OBJECT)
                self.assertEqual(record["SbxPolicyRevision"], "1")
                self.assertIn("DstIpAddr", record)
                if record["SbxRecordKind"] == "FlowDenied":
                    self.assertEqual(record["EventOriginalResultDetails"], "DEFAULT_DENY")
                else:
                    self.assertIn("NetworkRuleName", record)
                if record["DstIpAddr"] == "198.51.100.50":
                    self.assertEqual((record["DstFQDN"], record["NetworkRuleName"]), ("many.example.test", f"allow many.example.test {endurance.PORT}/tcp"))
                    self.assertIn("SbxDnsSessionId", record)
                if record["SbxRecordKind"] == "FlowClose" and record["EventResultDetails"] == "Terminated":
                    self.assertGreater(record["SrcBytes"], 0)
            self.assertEqual(faults(lab.record_bytes()), [])

    def memory(self, process):
        return int(re.search(r"^VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{process.pid}/status").read_text(), re.M)[1]) / 1024


if __name__ == "__main__":
    unittest.main()
