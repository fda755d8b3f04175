"""Kubernetes objects as the API server stores them.

An object is stored whole as JSON (``Object.document``), so nothing that a user wrote is lost; code that decides
something reads it through a frozen typed view (``netsim.objects.core``), which holds the fields that the model uses.
"""
