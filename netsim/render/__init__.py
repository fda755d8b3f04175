"""Answers as text, JSON, pcap and pictures. No decisions are made here."""
