"""What runs behind the port: source, camera and recorder of one run, and how they are driven."""
