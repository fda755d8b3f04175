"""Changes to documents as the API takes them: JSON patch, merge patch, strategic merge patch and server-side apply."""
