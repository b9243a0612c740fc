"""Reads subunit from standard input, as `tempest run --subunit` writes it, and prints a line of JSON for each test."""

import json
import sys

import subunit
import testtools


def show(test):
    details = {name: content.as_text() for name, content in test['details'].items() if content.content_type.type == 'text'}
    began, ended = test['timestamps']
    print(json.dumps({
        'test': test['id'],
        'status': test['status'],
        'seconds': (ended - began).total_seconds() if began and ended else 0,
        'details': {name: text for name, text in details.items() if name in ('reason', 'traceback')},
    }))


result = testtools.StreamToDict(show)
result.startTestRun()
subunit.ByteStreamToStreamResult(sys.stdin.buffer, non_subunit_name='output').run(result)
result.stopTestRun()
