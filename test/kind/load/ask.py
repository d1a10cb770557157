#!/usr/bin/env python3
"""usage: ask.py ORDER JSON    gives an order to the server of this pod and prints its answer"""
import http.client
import sys

connection = http.client.HTTPConnection("127.0.0.1", 7000, timeout=300)
connection.request("POST", "/" + sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "{}")
print(connection.getresponse().read().decode())
