"""What a lab adds to degu: a model, a loss, an augmentation and a data set, each with its YAML file in `conf`."""
