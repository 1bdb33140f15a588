"""`sds cloud ...` against a server with Amazon's interfaces: what is there afterwards is asked of the server."""

from __future__ import annotations

import base64
import io
import json
import os
import pty
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from awsserver import ACCESS, REGION, SECRET, environment, serve

from legacy_shim.main import run

SDS = [sys.executable, "-c", "from legacy_shim.main import main; main()"]
QUEUES = [
    {"QUEUE_NAME": "small", "INSTANCE_TYPES": ["t3.medium", "t3a.medium"]},
    {"QUEUE_NAME": "large", "INSTANCE_TYPES": ["m5.large"], "TOTAL_JOBS_METRIC": True},
]
STAGING = {"JOB_TYPE": "job-INGEST_STAGED", "JOB_RELEASE": "v1", "JOB_QUEUE": "small"}


@dataclass
class Done:
    stdout: str
    stderr: str


@dataclass
class Account:
    """An AWS account of a test's own, and a site that uses it."""

    url: str
    home: Path
    ids: dict[str, str]

    def api(self, service: str) -> Any:
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=ACCESS, aws_secret_access_key=SECRET
        )

    def configure(self, **keys: Any) -> None:
        config = yaml.safe_load((self.home / "config").read_text())
        (self.home / "config").write_text(yaml.safe_dump({**config, **keys}))

    def sds(self, *argv: str, code: int = 0) -> Done:
        """In this process: what is sent is real, and a process per verb would be most of the test's time."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            ended = run(list(argv))
        done = Done(out.getvalue(), err.getvalue())
        assert ended == code, done
        assert SECRET not in done.stdout + done.stderr
        return done

    def on_terminal(self, typed: str, *argv: str) -> tuple[int, str]:
        """Exit code and what stood on the terminal."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(SDS[0], [*SDS, *argv], {**os.environ, "NO_COLOR": "1"})
        os.write(terminal, typed.encode())
        shown = b""
        while True:
            try:
                chunk = os.read(terminal, 4096)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()

    def groups(self) -> dict[str, Any]:
        found = self.api("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        return {g["AutoScalingGroupName"]: g for g in found}

    def notifications(self, bucket: str = "datasets") -> dict[str, Any]:
        return dict(self.api("s3").get_bucket_notification_configuration(Bucket=bucket))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("aws") / "server.log") as url:
        yield url


@pytest.fixture
def account(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account with a network, a worker image, a key pair, roles and a bucket; its site asks nothing."""
    for name in os.environ:
        if name.startswith(("AWS_", "SDS_")):
            monkeypatch.delenv(name)
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SDS_HOME", str(tmp_path / "sds"))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST"), timeout=10)
    made = Account(server, tmp_path / "sds", {})
    ec2, iam = made.api("ec2"), made.api("iam")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    other = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="workers", Description="x", VpcId=vpc)["GroupId"]
    foreign = ec2.create_security_group(GroupName="others", Description="x", VpcId=other)["GroupId"]
    image = ec2.register_image(Name="Verdi worker 5", RootDeviceName="/dev/sda1")["ImageId"]
    ec2.create_key_pair(KeyName="ops")
    role = iam.create_role(RoleName="function", AssumeRolePolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                 "Principal": {"Service": "lambda.amazonaws.com"}}]}))  # fmt: skip
    iam.create_instance_profile(InstanceProfileName="workers")
    made.api("s3").create_bucket(Bucket="datasets", CreateBucketConfiguration={"LocationConstraint": REGION})
    made.ids |= {"vpc": vpc, "group": group, "foreign": foreign, "image": image, "role": role["Role"]["Arn"]}

    code = tmp_path / "ops" / "hysds-cloud-functions" / "aws" / "data-staged"
    code.mkdir(parents=True)
    (code / "lambda_function.py").write_text("def lambda_handler(event, context):\n    return event\n")
    pages = tmp_path / "ops" / "s3-bucket-listing"
    (pages / "index-style" / "img").mkdir(parents=True)
    (pages / "list.js").write_text("// lists the bucket\n")
    (pages / "index-style" / "style.css").write_text("body {}\n")
    (pages / "index-style" / "img" / "up.png").write_bytes(b"\x89PNG")
    (made.home / "files").mkdir(parents=True)
    (made.home / "files" / "s3-bucket-listing.html.tmpl").write_text(
        "<script>var URL = 'http://{{ DATASET_BUCKET }}.{{ DATASET_S3_ENDPOINT }}';</script>\n"
    )
    (made.home / "site.yaml").write_text(
        yaml.safe_dump({"source": str(tmp_path / "ops"), "components": {"verdi": {"where": "external"}}})
    )
    (made.home / "config").write_text(yaml.safe_dump({
        "VENUE": "dev", "CODE_BUCKET": "code", "DATASET_BUCKET": "datasets", "MOZART_PVT_IP": "10.0.0.11",
        "DATASET_S3_ENDPOINT": "s3-us-west-2.amazonaws.com", "AWS_REGION": REGION,
        "AWS_ACCESS_KEY": ACCESS, "AWS_SECRET_KEY": SECRET, "QUEUES": QUEUES,
        "ASG": {"AMI": image, "KEYPAIR": "ops", "USE_ROLE": True, "ROLE": "workers",
                "SECURITY_GROUPS": [group], "VPC": vpc},
        "STAGING_AREA": {"LAMBDA_SECURITY_GROUPS": [group], "LAMBDA_VPC": vpc, "LAMBDA_ROLE": role["Role"]["Arn"],
                         **STAGING},
    }))  # fmt: skip
    return made


# -- what there is


def test_clouds_are_listed_with_and_without_credentials(account: Account) -> None:
    lines = account.sds("cloud", "ls").stdout.splitlines()
    unready = "unimplemented or not configured"
    assert lines == ["aws: configured", f"azure: {unready}", f"gcp: {unready}"]
    account.configure(AWS_ACCESS_KEY=None, AWS_SECRET_KEY=None)
    assert account.sds("cloud", "ls").stdout.splitlines()[0] == f"aws: {unready}"
    done = account.sds("cloud", "storage", "ls", code=1)
    assert "no AWS credentials" in done.stderr and "AWS_ACCESS_KEY" in done.stderr and not done.stdout


def test_names_of_buckets_and_groups_are_complete(account: Account) -> None:
    autoscaling, ec2 = account.api("autoscaling"), account.api("ec2")
    ec2.create_launch_template(LaunchTemplateName="theirs", LaunchTemplateData={"ImageId": account.ids["image"]})
    names = sorted(f"group-{n:03}" for n in range(120))  # more than AWS gives at once
    for name in names:
        autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name, LaunchTemplate={"LaunchTemplateName": "theirs"}, MinSize=0, MaxSize=0,
            AvailabilityZones=[f"{REGION}a"],
        )  # fmt: skip
    assert account.sds("cloud", "asg", "ls").stdout.split() == names
    assert account.sds("cloud", "storage", "ls").stdout.split() == ["datasets"]
    assert json.loads(account.sds("cloud", "storage", "ls", "-o", "json").stdout)["buckets"] == ["datasets"]


def test_only_aws_is_implemented(account: Account) -> None:
    for words in (("asg", "-c", "gcp", "ls"), ("storage", "-c", "azure", "ship_style")):
        done = account.sds("cloud", *words, code=1)
        assert "not implemented for" in done.stderr


# -- autoscaling groups


def test_a_group_per_queue_as_the_legacy_tool_made_it(account: Account) -> None:
    account.sds("cloud", "asg", "create", "-f")
    ec2, groups = account.api("ec2"), account.groups()
    assert sorted(groups) == ["dev-large", "dev-small"]
    small = groups["dev-small"]
    assert [small[k] for k in ("MinSize", "MaxSize", "DesiredCapacity", "DefaultCooldown")] == [0, 0, 0, 60]
    policy = small["MixedInstancesPolicy"]
    assert [o["InstanceType"] for o in policy["LaunchTemplate"]["Overrides"]] == ["t3.medium", "t3a.medium"]
    spread = policy["InstancesDistribution"]
    assert spread["OnDemandPercentageAboveBaseCapacity"] == 0 and spread["SpotInstancePools"] == 2
    tags = {t["Key"]: t["Value"] for t in small["Tags"]}
    assert tags == {"Name": "dev-small-worker", "Venue": "dev", "Queue": "small", "Bravo": "pcm"}
    nets = {s["SubnetId"] for s in ec2.describe_subnets()["Subnets"] if s["VpcId"] == account.ids["vpc"]}
    assert set(small["VPCZoneIdentifier"].split(",")) == nets
    (version,) = ec2.describe_launch_template_versions(
        LaunchTemplateName="dev-small-launch-template", Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    assert base64.b64decode(data["UserData"]).decode() == "BUNDLE_URL=s3://code/small-dev.tbz2"
    assert (data["ImageId"], data["KeyName"]) == (account.ids["image"], "ops")
    assert data["SecurityGroupIds"] == [account.ids["group"]] and data["IamInstanceProfile"] == {"Name": "workers"}
    assert all("Encrypted" not in d.get("Ebs", {}) for d in data["BlockDeviceMappings"])
    metrics = {}
    for found in account.api("autoscaling").describe_policies()["ScalingPolicies"]:
        tracking = found["TargetTrackingConfiguration"]
        assert (tracking["TargetValue"], tracking["DisableScaleIn"]) == (1.0, True)
        metrics[found["PolicyName"]] = tracking["CustomizedMetricSpecification"]["MetricName"]
    assert metrics == {
        "dev-small-target-tracking": "JobsWaitingPerInstance-dev-small",
        "dev-large-target-tracking": "JobsPerInstance-dev-large",
    }


def test_groups_that_exist_stay_and_what_an_interruption_left_is_completed(account: Account) -> None:
    account.sds("cloud", "asg", "create", "-f", "--set", "QUEUES=small")
    autoscaling = account.api("autoscaling")
    autoscaling.update_auto_scaling_group(AutoScalingGroupName="dev-small", MaxSize=7)
    account.sds("cloud", "asg", "create", "-f", "--set", "MAX_SIZE=3")
    assert {n: g["MaxSize"] for n, g in account.groups().items()} == {"dev-small": 7, "dev-large": 3}
    assert "nothing to do" in account.sds("cloud", "asg", "create", "-f").stdout
    # As if it had been killed after the template of one and before the policy of the other queue.
    autoscaling.delete_policy(AutoScalingGroupName="dev-small", PolicyName="dev-small-target-tracking")
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName="dev-large", ForceDelete=True)
    account.sds("cloud", "asg", "create", "-f")
    assert sorted(account.groups()) == ["dev-large", "dev-small"]
    assert len(autoscaling.describe_policies()["ScalingPolicies"]) == 2
    versions = account.api("ec2").describe_launch_template_versions(LaunchTemplateName="dev-large-launch-template")
    assert len(versions["LaunchTemplateVersions"]) == 2


def test_a_dry_run_and_wrong_answers_make_nothing(account: Account) -> None:
    plan = json.loads(account.sds("cloud", "asg", "create", "--dry-run", "-o", "json").stdout)
    assert [c["group"] for c in plan["plan"]["children"]] == ["dev-small", "dev-large"]
    lines = account.sds("cloud", "asg", "create", "--print-kubectl").stdout
    assert "aws autoscaling create-auto-scaling-group --cli-input-json" in lines
    group, foreign = account.ids["group"], account.ids["foreign"]
    for words, told in (
        (["--set", "AMI=ami-00000000000000000"], "ami-00000000000000000"),
        (["--set", "KEYPAIR=opps"], 'did you mean "ops"'),
        (["--set", f"SECURITY_GROUPS={group},{foreign}"], "several networks"),
        (["--set", "VPC=vpc-1"], "vpc-1"),
        (["--set", "USE_ROLE=perhaps"], "y or n"),
        (["--set", "MIN_SIZE=3"], "MAX_SIZE is 0"),
        (["--set", "KEYPAR=ops"], "KEYPAIR"),
        (["--set", "QUEUES=smal"], "small"),
    ):
        code = 1 if "ami" in told else 2
        assert told in account.sds("cloud", "asg", "create", "-f", *words, code=code).stderr
    done = account.sds("cloud", "asg", "create", code=1)
    assert "no terminal" in done.stderr and "-f" in done.stderr
    account.configure(ASG={})
    assert "AMI has no value" in account.sds("cloud", "asg", "create", "-f", code=1).stderr
    assert not account.groups() and not account.api("ec2").describe_launch_templates()["LaunchTemplates"]


def test_the_dialogue_asks_everything_in_the_legacy_order(account: Account) -> None:
    account.configure(ASG=None, QUEUES=[])
    groups = account.api("ec2").describe_security_groups()["SecurityGroups"]
    groups.sort(key=lambda g: (g["VpcId"], g["GroupName"]))
    number = [g["GroupId"] for g in groups].index(account.ids["group"])
    typed = f"9\n0\n0\ny\n0\n{number}\none two\nt3.small\nn\n\ny\ny\n"
    code, shown = account.on_terminal(typed, "cloud", "asg", "create")
    assert code == 0, shown
    asked = ["Current verdi AMIs", "Verdi worker 5", "Invalid selection: 9", "Current key pairs", "instance roles",
             "Current roles", "Current security groups", "Queue names", "Instance types for one", "total jobs",
             "Instance types for two", "dev-one", "Continue [y/n]"]  # fmt: skip
    places = [shown.find(word) for word in asked]
    assert -1 not in places and places == sorted(places), (asked, places, shown)
    found = account.groups()
    types = {
        n: [o["InstanceType"] for o in g["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]]
        for n, g in found.items()
    }
    assert types == {"dev-one": ["t3.small"], "dev-two": ["t2.medium", "t3.medium", "t3a.medium"]}
    assert account.on_terminal("n\n", "cloud", "asg", "create", "--from", str(answers(account)))[0] == 0
    assert sorted(account.groups()) == ["dev-one", "dev-two"]


def answers(account: Account) -> Path:
    file = account.home / "answers.yaml"
    file.write_text(yaml.safe_dump({
        "ASG": {"AMI": account.ids["image"], "KEYPAIR": "ops", "USE_ROLE": "n",
                "SECURITY_GROUPS": account.ids["group"]},
        "QUEUES": [{"QUEUE_NAME": "three", "INSTANCE_TYPES": ["t3.small"]}],
    }))  # fmt: skip
    return file


def test_answers_come_from_a_file(account: Account) -> None:
    account.configure(ASG=None, QUEUES=[])
    account.sds("cloud", "asg", "create", "-f", "--from", str(answers(account)))
    assert sorted(account.groups()) == ["dev-three"]


def test_what_aws_refuses_is_told_in_its_words(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    done = account.sds("cloud", "asg", "create", "-f", "--set", "SUBNETS=subnet-1", code=2)
    assert "subnet-1" in done.stderr
    account.configure(VENUE="100%")  # no name for a topic
    done = account.sds("cloud", "storage", "create_staging_area", "-f", code=1)
    assert "InvalidParameter" in done.stderr and "Topic names must be made up of" in done.stderr
    assert "TopicConfigurations" not in account.notifications()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    done = account.sds("cloud", "ls", code=1)
    assert "does not answer" in done.stderr and "127.0.0.1:9" in done.stderr


# -- browse pages


def test_browse_pages_make_the_bucket_a_website(account: Account) -> None:
    account.sds("cloud", "storage", "ship_style", "-f")
    s3 = account.api("s3")
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket="datasets")["Contents"]]
    assert keys == ["index-style/img/up.png", "index-style/style.css", "index.html", "list.js"]
    page = s3.get_object(Bucket="datasets", Key="index.html")
    assert "http://datasets.s3-us-west-2.amazonaws.com" in page["Body"].read().decode()
    assert page["ContentType"] == "text/html"
    site = s3.get_bucket_website(Bucket="datasets")
    assert (site["IndexDocument"], site["ErrorDocument"]) == ({"Suffix": "index.html"}, {"Key": "index.html"})
    assert "nothing to do" in account.sds("cloud", "storage", "ship_style", "-f").stdout
    account.sds("cloud", "storage", "ship_style", "-f", "-e")
    assert s3.head_object(Bucket="datasets", Key="list.js")["ServerSideEncryption"] == "AES256"


def test_the_page_names_the_bucket_that_was_asked_for(account: Account) -> None:
    s3 = account.api("s3")
    s3.create_bucket(Bucket="other", CreateBucketConfiguration={"LocationConstraint": REGION})
    account.sds("cloud", "storage", "ship_style", "-f", "-b", "other")
    assert b"http://other." in s3.get_object(Bucket="other", Key="index.html")["Body"].read()
    assert "Contents" not in s3.list_objects_v2(Bucket="datasets")
    done = account.sds("cloud", "storage", "ship_style", "-f", "-b", "nobody-has-it", code=1)
    assert "nobody-has-it" in done.stderr and "no such bucket" in done.stderr


def test_pages_with_a_secret_or_without_their_files_are_not_shipped(account: Account) -> None:
    template = account.home / "files" / "s3-bucket-listing.html.tmpl"
    template.write_text("{{ AWS_SECRET_KEY }}")
    assert "AWS_SECRET_KEY would be readable" in account.sds("cloud", "storage", "ship_style", "-f", code=1).stderr
    template.unlink()
    assert str(template) in account.sds("cloud", "storage", "ship_style", "-f", code=1).stderr
    assert "Contents" not in account.api("s3").list_objects_v2(Bucket="datasets")


# -- staging areas


def test_a_staging_area_notifies_a_function_and_keeps_other_notifications(account: Account) -> None:
    sns, functions = account.api("sns"), account.api("lambda")
    foreign = sns.create_topic(Name="foreign")["TopicArn"]
    queue = account.api("sqs").create_queue(QueueName="kept")["QueueUrl"]
    queue_arn = account.api("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    account.api("s3").put_bucket_notification_configuration(Bucket="datasets", NotificationConfiguration={
        "TopicConfigurations": [{"Id": "theirs", "TopicArn": foreign, "Events": ["s3:ObjectRemoved:*"]}],
        "QueueConfigurations": [{"Id": "queue", "QueueArn": queue_arn["QueueArn"], "Events": ["s3:ObjectRemoved:*"]}],
    })  # fmt: skip
    account.sds("cloud", "storage", "create_staging_area", "-f", "--suffix", ".signal")
    found = account.notifications()
    assert [c["Id"] for c in found["QueueConfigurations"]] == ["queue"]
    theirs, ours = found["TopicConfigurations"]
    assert theirs["Id"] == "theirs" and ours["Events"] == ["s3:ObjectCreated:*"]
    rules = {r["Name"].lower(): r["Value"] for r in ours["Filter"]["Key"]["FilterRules"]}
    assert rules == {"prefix": "staging_area/", "suffix": ".signal"}
    topic = ours["TopicArn"]
    name = topic.rpartition(":")[2]
    assert name.startswith("dev-dataset-") and len(name) == len("dev-dataset-") + 4
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    assert policy["Statement"][0]["Condition"] == {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::datasets"}}
    function = functions.get_function(FunctionName="dev-dataset-staging_area-submit_ingest")["Configuration"]
    assert function["Environment"]["Variables"] == {
        "DATASET_S3_ENDPOINT": "s3-us-west-2.amazonaws.com", **STAGING, "MOZART_URL": "https://10.0.0.11/mozart",
        "SIGNAL_FILE_SUFFIX": ".signal",
    }  # fmt: skip
    assert function["Runtime"] == "python3.13" and function["Role"] == account.ids["role"]
    (endpoint,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert endpoint["Endpoint"] == function["FunctionArn"]
    allowed = json.loads(functions.get_policy(FunctionName=function["FunctionName"])["Policy"])["Statement"]
    assert len(allowed) == 1 and topic in json.dumps(allowed)
    again = account.sds("cloud", "storage", "create_staging_area", "-f", "--suffix", ".signal")
    assert "nothing to do" in again.stdout, again.stdout


def test_new_code_and_another_queue_change_the_function_only(account: Account, tmp_path: Path) -> None:
    account.sds("cloud", "storage", "create_staging_area", "-f")
    before = account.notifications()
    code = tmp_path / "ops/hysds-cloud-functions/aws/data-staged/lambda_function.py"
    code.write_text(code.read_text() + "# newer\n")
    words = ("cloud", "storage", "create_staging_area", "--set", "JOB_QUEUE=large")
    plan = json.loads(account.sds(*words, "--dry-run", "-o", "json").stdout)
    operations = [s["operation"] for s in plan["plan"]["children"]]
    assert operations == ["update_function_code", "update_function_configuration"]
    account.sds(*words, "-f")
    (function,) = account.api("lambda").list_functions()["Functions"]
    assert function["Environment"]["Variables"]["JOB_QUEUE"] == "large"
    after = account.notifications()
    assert after["TopicConfigurations"] == before["TopicConfigurations"]


def test_a_second_area_of_another_prefix_stands_beside_the_first(account: Account) -> None:
    account.sds("cloud", "storage", "create_staging_area", "-f")
    account.sds("cloud", "storage", "create_staging_area", "-f", "-p", "incoming/")
    assert len(account.notifications()["TopicConfigurations"]) == 2
    assert len(account.api("lambda").list_functions()["Functions"]) == 2


def test_nothing_is_made_when_bucket_code_or_an_answer_is_missing(account: Account, tmp_path: Path) -> None:
    done = account.sds("cloud", "storage", "create_staging_area", "-f", "-b", "nobody-has-it", code=1)
    assert "the bucket does not exist" in done.stderr and "NoSuchBucket" in done.stderr
    done = account.sds("cloud", "storage", "create_staging_area", "-f", "--set", "JOB_TYPES=[", code=2)
    assert "JOB_TYPES" in done.stderr
    (tmp_path / "ops/hysds-cloud-functions/aws/data-staged/lambda_function.py").unlink()
    assert (
        "the code of the function is missing"
        in account.sds("cloud", "storage", "create_staging_area", "-f", code=1).stderr
    )
    assert not account.api("sns").list_topics()["Topics"] and not account.api("lambda").list_functions()["Functions"]
    assert "TopicConfigurations" not in account.notifications()
