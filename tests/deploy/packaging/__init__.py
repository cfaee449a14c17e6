"""Tests of deploy/images, deploy/compose and deploy/chart."""
