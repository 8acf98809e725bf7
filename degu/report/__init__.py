"""What a study shows: tables and figures."""
