#!/bin/sh
# Make configure and Makefile.in from their sources. Needed once after a clone; make does it later.
cd "$(dirname "$0")" && exec autoreconf --force --install
