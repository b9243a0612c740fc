"""Waiting for the database from Python, shared by the job that fills it and the server that reads it."""

import sys
import time

import pymysql
from sqlalchemy.engine import make_url


def wait_for(url, what, statement, arguments=()):
    """Returns once `statement` gives a row; says what it waits for, and again whenever the reason changes."""
    place = make_url(url)
    said = None
    while True:
        try:
            connection = pymysql.connect(
                host=place.host, port=place.port or 3306, user=place.username, password=place.password,
                database=place.database, connect_timeout=2)
            with connection, connection.cursor() as cursor:
                if cursor.execute(statement, arguments):
                    return
            reason = 'not done yet'
        except pymysql.MySQLError as error:
            reason = str(error.args[-1])
        if reason != said:
            said = reason
            print(f'waiting for {what}: {reason}', file=sys.stderr, flush=True)
        time.sleep(0.2)


def execute(url, statement, arguments=()):
    """Runs one statement and commits."""
    place = make_url(url)
    connection = pymysql.connect(
        host=place.host, port=place.port or 3306, user=place.username, password=place.password,
        database=place.database, autocommit=True)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, arguments)
