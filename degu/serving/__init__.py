"""The student of a study on its own: one folder that predicts DNA strings, exports of it, and its MLflow model."""
