# Stands in for a Jupyter docker-stacks image: user, places, commands and environment are the same,
# the scientific packages, conda and sudo are missing. The hub's version is an older one on purpose:
# the official tag has it too, so that the lab image has to bring its own.
ARG BASE
FROM ${BASE}
ENV CONDA_DIR=/opt/conda \
    HOME=/home/jovyan \
    JUPYTER_PORT=8888 \
    LC_ALL=C.UTF-8 \
    NB_GID=100 \
    NB_UID=1000 \
    NB_USER=jovyan \
    PATH=/opt/conda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SHELL=/bin/bash
RUN useradd --no-log-init --create-home --shell /bin/bash --uid 1000 --no-user-group --gid 100 jovyan \
 && install --directory --owner jovyan --group users --mode 2775 /opt/conda
COPY lab/ /usr/local/bin/
COPY jupyter_server_config.py /etc/jupyter/jupyter_server_config.py
COPY lab-constraints.txt /tmp/lab-constraints.txt
USER 1000
WORKDIR /home/jovyan
RUN python3 -m venv /opt/conda \
 && pip install --no-cache-dir --constraint /tmp/lab-constraints.txt \
    jupyterlab==4.6.6 ipykernel jupyterhub==5.5.0
EXPOSE 8888
ENTRYPOINT ["tini", "-g", "--", "start.sh"]
CMD ["start-notebook.py"]
