"""The queries of deploy/azure over the records of a real sidecar: what they say is compared with what is known to have happened."""
import collections, datetime, json, random, re, signal, unittest
from xml.etree import ElementTree

import kusto
import pycep
from stage import OWNER_OBJECT, OWNER_TENANT, ROOT, LabCase, allow, deny_all_but, wait_for

AZURE = ROOT / "deploy" / "azure"
QUERIES = {path.stem: path.read_text() for path in (AZURE / "kql").glob("*.kql")}
# The functions of the workspace, as modules/logs.bicep makes them.
FUNCTIONS = {name: (AZURE / "modules" / path).read_text() for name, path in
             re.findall(r"name: '(\w+)', query: loadTextContent\('([^']+)'\)", (AZURE / "modules" / "logs.bicep").read_text())}
ALERTS = dict(re.findall(r"name: '(\w+)', severity: \d, .*query: '([^']+)'", (AZURE / "modules" / "watch.bicep").read_text()))
PANELS = {item["name"]: item["content"]["query"] for item in json.loads((AZURE / "workbook.json").read_text())["items"] if item["type"] == 3}
TYPES = {"string": str, "datetime": datetime.datetime, "long": int, "int": int, "boolean": bool, "dynamic": (dict, list)}
SECOND = datetime.timedelta(seconds=1)


def table(lines, ingested=3 * SECOND):
    """The rows of SandboxAuditFast_CL as the data collection rule makes them of events: typed as the columns are."""
    columns = {column["name"]: column["type"] for column in json.loads((AZURE / "columns.json").read_text())}
    source = [{"TimeGenerated": None, "RawData": line.decode(), "Properties": {}} for line in lines]
    rows = kusto.Query(QUERIES["transform"], {"source": source}).run()
    for row in rows:
        assert set(row) == set(columns), set(row) ^ set(columns)
        for name, value in row.items():
            if value is None and columns[name] == "string":
                row[name] = ""
            elif value is not None and not isinstance(value, TYPES[columns[name]]):
                raise AssertionError(f"{name} is {value!r}, which is no {columns[name]}")
        row["$ingested"] = row["TimeGenerated"] + ingested
    return rows


class Written(unittest.TestCase):
    def test_columns_are_such_as_log_analytics_takes(self):
        reserved = {"EventTime", "EventProcessedUtcTime", "EventEnqueuedUtcTime", "PartitionId", "TenantId", "Type", "Title", "UniqueId", "id"}
        columns = json.loads((AZURE / "columns.json").read_text())
        self.assertLess(len(columns), 500)
        for column in columns:
            self.assertRegex(column["name"], r"^[A-Za-z][A-Za-z0-9_]{0,44}$")
            self.assertNotIn(column["name"], reserved)
        self.assertLess(len(QUERIES["transform"]), 15_000)

    def test_every_query_is_one_by_microsoft_s_grammar_and_the_grammar_sees_errors(self):
        for name, text in QUERIES.items():
            with self.subTest(name):
                kusto.parse(text)
        for bad in ("T | wher x > 1", "T | summarize count( by x", "T | extend = 1", "let x = ; T"):
            with self.assertRaises(ValueError, msg=bad):
                kusto.parse(bad)


class Bicep(unittest.TestCase):
    """As far as a parser goes: the compiler, which knows Azure's resources, is not to be had here."""

    @classmethod
    def setUpClass(cls):
        cls.texts = {path.relative_to(AZURE).as_posix(): path.read_text() for path in AZURE.rglob("*.bicep")}
        cls.files = {name: pycep.BicepParser().parse(text=text) for name, text in cls.texts.items()}

    def test_modules_are_given_what_they_declare_and_what_is_loaded_is_there(self):
        self.assertGreater(len(self.files), 5)
        for name, module in self.files["main.bicep"]["modules"].items():
            text = re.search(rf"^module {name} '([^']+)'.*?^}}", self.texts["main.bicep"], re.S | re.M)
            given = set(re.findall(r"^    (\w+):", text[0], re.M))
            self.assertEqual(given, set(self.files[text[1]]["parameters"]), name)
        for name, text in self.texts.items():
            for path in re.findall(r"load(?:Text|Json)Content\('([^']+)'\)", text):
                self.assertTrue(((AZURE / name).parent / path).is_file(), path)
        declared = self.files["main.bicep"]["parameters"]
        given = set(re.findall(r"^param (\w+)", (AZURE / "example.bicepparam").read_text(), re.M))
        self.assertLessEqual(given, set(declared))
        self.assertLessEqual({name for name, parameter in declared.items() if parameter.get("default") is None}, given)

    def test_the_hub_is_as_the_platform_wants_it(self):
        text = self.texts["modules/hub.bicep"]
        for line in ("disableLocalAuth: true", "minimumTlsVersion: '1.2'", "partitionCount: 4", "name: 'sandbox-audit-fast'"):
            self.assertIn(line, text)
        readers = set(re.search(r"for reader in \[(.*?)\]", text)[1].replace("'", "").split(", "))
        used = set(re.findall(r"consumerGroup(?:Name)?: '([^']+)'", self.texts["modules/stream.bicep"] + self.texts["modules/logs.bicep"]))
        self.assertEqual(readers, used)
        # Nobody gets more than to send, to receive, to write blobs.
        roles = set(re.findall(r"'([0-9a-f]{8}-[0-9a-f-]{27})'", "".join(self.texts.values())))
        self.assertEqual(roles, {"2b629674-e913-4c01-ae53-ef4638d8f975", "a638d3c7-ab3a-418d-83e6-5f17a39d4fde", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"})

    def test_every_alert_has_its_section_in_the_runbook(self):
        runbook = (ROOT / "deploy" / "docs" / "runbook.md").read_text()
        self.assertGreater(len(ALERTS), 5)
        for name in ALERTS:
            self.assertIn(f"### {name}\n", runbook)


class Analytics(LabCase):
    policy = deny_all_but(allow("registry.example.test", "443/tcp"), allow("*.artifacts.example.test"))
    settings = {"SALLYPORT_DNS_NAME_BUDGET": "3"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.lab
        code, _, _, error = lab.fetch("https://registry.example.test/")
        assert code == 0, error
        lab.fetch("https://registry.example.test/")
        for _ in range(3):
            lab.lookup("files.example.test")
        lab.connect("198.51.100.20", 4443)
        for number in range(5):
            lab.lookup(f"n{number}.artifacts.example.test")
        lab.inside(lab.pod, "nft", "add", "rule", "inet", "sallyport", "out", "accept", check=False)
        wait_for("both flows ended and the rest is at the hub", lambda: len(lab.records("FlowClose", DstFQDN="registry.example.test")) == 2 and lab.records("FlowDenied") and lab.records("Tamper")
                 and lab.records("DnsDenied", EventOriginalResultDetails="NAME_BUDGET") and sum(r["EventCount"] for r in lab.records("DnsDenied", DnsQuery="files.example.test")) == 3, 40)
        cls.sidecar.send_signal(signal.SIGKILL)
        cls.sidecar.wait()
        cls.start_sidecar()
        wait_for("the second start is at the hub", lambda: len(lab.records("SidecarStart")) == 2, 20)
        cls.lines = list(dict.fromkeys(lab.record_bytes()))
        cls.records = [json.loads(line) for line in cls.lines]
        cls.now = max(kusto.moment(record["TimeGenerated"]) for record in cls.records) + 10 * SECOND

    def query(self, name, rows, now=None):
        return kusto.Query(QUERIES[name], {"SandboxAuditFast_CL": rows}, {"SallyportRecords": QUERIES["SallyportRecords"]}, now or self.now).run()

    def test_the_parser_gives_each_record_once_and_the_first_copy_of_it(self):
        again = table(self.lines[::2], 40 * SECOND)
        rows = again + table(self.lines)
        random.Random(1).shuffle(rows)
        found = self.query("SallyportRecords", rows)
        self.assertEqual(collections.Counter(row["EventOriginalUid"] for row in found), collections.Counter(record["EventOriginalUid"] for record in self.records))
        self.assertTrue(all(row["IngestedTime"] - row["TimeGenerated"] == 3 * SECOND for row in found))
        self.assertEqual({row["SbxRaw"].encode() for row in found}, set(self.lines))

    def test_a_whole_stream_has_no_gap_and_each_hole_is_named(self):
        self.assertEqual(self.query("gaps", table(self.lines)), [])
        boots = [record["SbxBootId"] for record in self.records if record["SbxRecordKind"] == "SidecarStart"]
        first = sorted((record["SbxSeq"], line) for record, line in zip(self.records, self.lines) if record["SbxBootId"] == boots[0])
        end = first[-1][0]
        # Without two in the middle and the last three, which the next start tells of. The first is missing too, and may be older than what was looked at.
        gone = {1, 5, 6, end - 2, end - 1, end}
        rows = table([line for record, line in zip(self.records, self.lines) if record["SbxBootId"] != boots[0] or record["SbxSeq"] not in gone])
        found = self.query("gaps", rows)
        self.assertEqual({(row["MissingFrom"], row["MissingTo"]) for row in found}, {(5, 6), (end - 2, end)})
        self.assertEqual({row["SbxBootId"] for row in found}, {boots[0]})
        self.assertTrue(all(row["Accounted"] is False and row["Missing"] == row["MissingTo"] - row["MissingFrom"] + 1 for row in found))
        # A start whose predecessor was seen begins within what was looked at.
        rows = table([line for record, line in zip(self.records, self.lines) if record["SbxBootId"] != boots[1] or record["SbxSeq"] > 2])
        self.assertEqual([(row["SbxBootId"], row["MissingFrom"], row["MissingTo"]) for row in self.query("gaps", rows)], [(boots[1], 1, 2)])

    def test_a_hole_that_the_sidecar_gave_up_is_accounted_for(self):
        boot = self.records[0]["SbxBootId"]
        rows = table([line for record, line in zip(self.records, self.lines) if record["SbxBootId"] != boot or record["SbxSeq"] not in (5, 6)])
        drop = dict(rows[-1], SbxRecordKind="RecordsDropped", EventOriginalUid="drop", SbxDroppedFromSeq=5, SbxDroppedToSeq=6, SbxDroppedCount=2, SbxDroppedBootId=boot, EventOriginalResultDetails="CORRUPT",
                    SbxSeq=rows[-1]["SbxSeq"] + 1)
        found, = self.query("gaps", [*rows, drop])
        self.assertEqual((found["Accounted"], found["Reasons"], found["Missing"]), (True, ["CORRUPT"], 2))

    def test_lateness_counts_what_took_longer_than_a_minute(self):
        rows = table(self.lines)
        for row in rows[:4]:
            row["$ingested"] = row["TimeGenerated"] + 61 * SECOND
        found = self.query("lateness", rows)
        self.assertEqual((sum(row["Records"] for row in found), sum(row["Late"] for row in found)), (len(rows), 4))
        self.assertEqual(max(row["Worst"] for row in found), 61 * SECOND)
        self.assertEqual(min(row["Median"] for row in found), 3 * SECOND)

    def test_silence_names_who_is_not_heard_and_neither_who_stopped_nor_who_was_followed(self):
        rows = table(self.lines)
        self.assertEqual(self.query("silence", rows), [])
        later = self.now + 200 * SECOND
        found, = self.query("silence", rows, later)
        second = [record for record in self.records if record["SbxRecordKind"] == "SidecarStart"][-1]
        self.assertEqual((found["SbxBootId"], found["Sandbox"], found["Owners"]), (second["SbxBootId"], second["SbxSandboxId"], [OWNER_OBJECT]))
        stop = dict(rows[-1], SbxRecordKind="SidecarStop", EventOriginalUid="stop", SbxBootId=second["SbxBootId"])
        self.assertEqual(self.query("silence", [*rows, stop], later), [])

    def test_reach_adds_up_a_user_s_flows_to_the_byte(self):
        found = [row for row in self.query("reach", table(self.lines)) if row["Destination"] == "registry.example.test"]
        self.assertEqual(len(found), 1)
        closes = [record for record in self.records if record["SbxRecordKind"] == "FlowClose" and record.get("DstFQDN") == "registry.example.test"]
        row = found[0]
        self.assertEqual((row["SrcUserAadId"], row["SrcUserScopeId"], row["Port"], row["Flows"], row["Sandboxes"]), (OWNER_OBJECT, OWNER_TENANT, "443/TCP", 2, 1))
        self.assertEqual((row["BytesOut"], row["BytesIn"]), (sum(c["SrcBytes"] for c in closes), sum(c["DstBytes"] for c in closes)))
        # The sidecar's own way to its hub is nobody's reach.
        self.assertFalse([row for row in self.query("reach", table(self.lines)) if "servicebus" in row["Destination"] or row["Destination"].startswith("203.0.113.")])

    def test_denied_counts_attempts_and_not_records(self):
        found = {row["Target"]: row for row in self.query("denied", table(self.lines))}
        self.assertEqual((found["files.example.test"]["Attempts"], found["files.example.test"]["Reason"], found["files.example.test"]["Kind"]), (3, "DEFAULT_DENY", "DnsDenied"))
        self.assertEqual(found["198.51.100.20:4443/TCP"]["Kind"], "FlowDenied")

    def test_a_budget_that_ran_out_is_shown_with_its_estimate(self):
        found, = self.query("budget", table(self.lines))
        self.assertEqual((found["Refused"], found["Reason"], found["SrcUserAadId"]), (2, "NAME_BUDGET", OWNER_OBJECT))
        self.assertEqual(found["RuleName"], self.lab.records("DnsDenied", EventOriginalResultDetails="NAME_BUDGET")[0]["RuleName"])
        self.assertGreaterEqual(found["Names"], 3)

    def test_alerts_and_workbook_run_on_the_functions_of_the_workspace(self):
        """Nothing is wrong but the tampering and the budget, and so it is shown; what holds for a whole stream rings nobody."""
        self.assertEqual(set(FUNCTIONS) - {"SallyportRecords"}, {f"Sallyport{name.capitalize()}" for name in QUERIES if name not in ("SallyportRecords", "transform", "flow")})
        rows = table(self.lines)
        run = lambda text: kusto.Query(text, {"SandboxAuditFast_CL": rows}, FUNCTIONS, self.now).run()
        self.assertEqual({name for name, text in ALERTS.items() if run(text)}, {"SallyportTampered", "SallyportChannel"})
        for name, text in PANELS.items():
            with self.subTest(panel=name):
                self.assertEqual(bool(run(text)), name not in ("gaps", "silence"))

    def test_the_workbook_can_be_looked_at_before_it_is_deployed(self):
        import workbook
        picture = workbook.draw(self.lines)
        ElementTree.fromstring(picture)
        for words in ("Who reached what", "registry.example.test", "None is missing.", "RESTORED"):
            self.assertIn(words, picture)

    def test_tampering_is_shown(self):
        found = self.query("tamper", table(self.lines))
        self.assertEqual([row["SbxRecordKind"] for row in found], ["Tamper"] * len(self.lab.records("Tamper")))
        self.assertEqual({row["EventSeverity"] for row in found}, {"High"})

    def test_one_flow_can_be_followed(self):
        close = self.lab.records("FlowClose", DstFQDN="registry.example.test")[0]
        rows = kusto.Query(QUERIES["flow"].replace("SESSION", close["NetworkSessionId"]), {"SandboxAuditFast_CL": table(self.lines)}, {"SallyportRecords": QUERIES["SallyportRecords"]}).run()
        self.assertEqual([row["SbxRecordKind"] for row in rows if row["SbxRecordKind"] != "FlowUpdate"], ["FlowOpen", "FlowClose"])

    def test_the_stream_analytics_query_sends_everything_to_the_archive_and_what_is_urgent_twice(self):
        """Its two statements are standard SQL but for INTO, which is taken out; sqlite's engine runs them."""
        import sqlite3
        members = list(dict.fromkeys(name for record in self.records for name in record))
        database = sqlite3.connect(":memory:")
        database.execute(f"create table [records] ({', '.join(f'[{name}]' for name in members)})")
        for record in self.records:
            database.execute(f"insert into [records] values ({', '.join('?' * len(members))})", [json.dumps(v) if isinstance(v, (dict, list)) else v for v in (record.get(name) for name in members)])
        text = re.sub(r"--.*", "", (AZURE / "audit.asaql").read_text())
        statements = re.findall(r"SELECT\b.*?(?=\bSELECT\b|\Z)", text, re.S)
        into = {re.search(r"INTO\s+\[(\w+)\]", statement)[1]: re.sub(r"INTO\s+\[\w+\]", "", statement) for statement in statements}
        self.assertEqual(set(into), {"archive", "urgent"})
        self.assertEqual(len(database.execute(into["archive"]).fetchall()), len(self.records))
        urgent = database.execute(into["urgent"]).fetchall()
        self.assertEqual(sorted(row[7] for row in urgent), sorted(r["EventOriginalUid"] for r in self.records if r["EventSeverity"] == "High"))
        self.assertTrue(urgent)


if __name__ == "__main__":
    unittest.main()
